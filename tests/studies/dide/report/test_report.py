"""Tables, figures and claims of DiDE's report against the planted scores."""

import re
import shutil

import numpy as np
import pytest

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.answers import floor_table, training_curves, types_table
from compactvl.reporting.claims import FAILS, HOLDS, LEFT, OPEN, claims_table
from compactvl.reporting.render import render
from compactvl.reporting.study import NotRun
from compactvl.studies.dide.report import figures, tables
from compactvl.studies.dide.report.claims import dide_claims
from compactvl.studies.dide.report.results import DideResults

NAMES = {"teacher": "teacher", "dual": "dual", "distilled": "dual_distilled", "best": "dual_distilled_pretrained"}


def test_claims_follow_the_planted_scores(study):
    claims = dide_claims(**NAMES)
    judged = claims_table(study, claims).set_index(np.array([claim.id for claim in claims]))
    verdicts = judged["verdict"]
    assert verdicts["gap"] == verdicts["distilled"] == verdicts["attention"] == verdicts["pretraining"] == HOLDS
    assert verdicts["close"] == FAILS  # ten points below the teacher
    assert verdicts["soft"] == verdicts["layers"] == OPEN  # the same answers
    assert verdicts["retrieval"] == verdicts["entailment"] == verdicts["teacher_sees"] == HOLDS
    assert verdicts["speed"] == HOLDS
    assert "100.0 → 15.0 ms a question on cpu: 6.7×" in judged.loc["speed", "evidence"]


def test_without_variants_nothing_can_be_tested(tree, tmp_path, collect_all):
    shutil.copytree(tree / "results" / "dide" / "random", tmp_path / "results" / "dide" / "random")
    collect_all(tmp_path / "results", "dide")
    judged = claims_table(DideResults("dide", tmp_path / "results", tmp_path / "runs"), dide_claims(**NAMES))
    assert set(judged["verdict"]) <= {OPEN, LEFT}
    assert (judged["verdict"] == LEFT).sum() > len(judged) / 2


def test_scores_stand_beside_their_paired_differences(study):
    table = tables.accuracy_table(study, "scene_qa", dual="dual", teacher="teacher").set_index("model")
    score = study.estimate("dual_distilled", "scene_qa", "macro").value
    row = table.loc["Dual: soft labels + attention (DiDE)"]
    assert row["score, mean over types"].startswith(f"{100 * score:.1f} [")
    gained = 100 * (score - study.estimate("dual", "scene_qa", "macro").value)
    assert row["to Dual: hard labels"].startswith(f"{gained:+.1f} [")
    assert table.loc["Dual: hard labels", "to Dual: hard labels"] == "–"
    assert table.loc["Teacher: fusion encoder", "to the teacher"] == "–"
    assert table.loc["Chance", "score, mean over types"] == "25.0"
    entail = tables.accuracy_table(study, "scene_entail", dual="dual_entail", teacher="teacher_entail")
    assert "Dual: soft labels + attention (DiDE)" in set(entail["model"])


def test_macro_weighs_types_alike(study):
    items = study.items("dual", "scene_qa", "macro")
    by_type = items.groupby("stratum")["value"].mean()
    assert by_type.mean() == pytest.approx(study.estimate("dual", "scene_qa", "macro").value)
    one = study.items("dual", "scene_qa", "vqa_score/count")
    assert one["value"].mean() == pytest.approx(study.estimate("dual", "scene_qa", "vqa_score/count").value)


def test_types_have_a_row_each(study):
    table = types_table(study, "scene_qa", ["teacher", "dual", "absent"])
    assert table["type"].tolist() == ["count", "existence", "what"]
    assert set(table["items"]) == {"400"}


def test_latency_says_how_many_times_as_fast(study):
    table = tables.latency_table(study, teacher="teacher", dual="dual").set_index(["size", "image"])
    assert table.loc[("published", "cached"), "times as fast"] == "10.0"
    assert table.loc[("published", "once for 16"), "times as fast"] == "6.7"
    assert table.loc[("own", "once for 1"), "dual, ms"].startswith("9.0 [")


def test_what_needs_no_image_is_read_from_the_sets(tree, study):
    sets = {name: CanonicalSet.open(tree / "data" / "sets" / name) for name in ("scene_qa", "scene_entail")}
    table = floor_table(study, sets | {"easy_vqa": None})
    assert table["task"].tolist() == ["scene QA", "entailment"]
    assert table["commonest answer"].tolist() == ["40.0", "40.0"]
    assert table["text alone"].tolist() == ["35.0", "35.0"]


def test_the_curve_of_accuracy_and_latency_shows_both_encoders(study):
    figure = figures.accuracy_latency(study, "scene_qa", teacher="teacher", students=["dual"], timed="dual")
    places = {line.get_xdata()[0]: line.get_ydata()[0] for line in figure.axes[0].lines if len(line.get_xdata()) == 1}
    assert set(places) == {10.0, 1.0}
    assert places[10.0] == pytest.approx(100 * study.estimate("teacher", "scene_qa", "macro").value)
    dotted = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 2)
    assert dotted.get_xdata().tolist() == [1.0, 9.0]


def test_maps_lie_where_they_look(study, tree):
    sets = tree / "data" / "sets"
    items, images = CanonicalSet.open(sets / "scene_qa"), CanonicalSet.open(sets / "scenes")
    figure = figures.attention_maps(study, ["teacher", "dual"], items=items, images=images, rows=2)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 6
    plain, lit = np.asarray(shown[0], float), np.asarray(shown[1], float)
    assert not np.allclose(plain, lit)
    # The sixth of 4 x 4 cells: row 1, column 1.
    red = lit[..., 0] - lit[..., 2]
    assert red[8:16, 8:16].mean() > red.mean() + 50
    assert isinstance(figures.attention_maps(study, ["teacher"], items=None, images=images), NotRun)


def test_curves_are_drawn_for_what_was_logged(study):
    figure = training_curves(study, ["teacher", "dual"])
    titles = [axes.get_title() or axes.get_title("left") for axes in figure.axes]
    assert titles == ["Training score", "Validation score", "Attention distillation loss"]
    assert figure.axes[0].lines[0].get_ydata().max() == pytest.approx(50)


def test_the_whole_notebook_renders(tree, style, monkeypatch):
    monkeypatch.chdir(tree)
    html = tree / "results" / "reports" / "dide.html"
    render(style.parent / "dide.py", tree / "logs" / "dide.ipynb", html, {"study": "dide", "style": str(style)})
    page = html.read_text(encoding="utf-8")
    assert "Not run in this size" not in page
    assert "Traceback" not in page
    wanted = set(re.findall(r'report\.figure\(\s*"(\w+)"', (style.parent / "dide.py").read_text(encoding="utf-8")))
    assert {path.stem for path in (tree / "results" / "figures" / "dide").glob("*.svg")} == wanted
