"""Tables, figures and claims of ESsEN's report against planted scores."""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.evaluation.classification import classification_metrics
from compactvl.evaluation.results import Metric, write_result
from compactvl.files import write_json
from compactvl.records.record import Made, write, write_record
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, claims_table
from compactvl.reporting.overview import overview
from compactvl.reporting.render import render
from compactvl.reporting.study import NotRun
from compactvl.studies.essen.report import figures, tables
from compactvl.studies.essen.report.claims import essen_claims
from compactvl.studies.essen.report.results import EASY, REFER, EssenResults
from compactvl.studies.jobs import parameter_table

REPOSITORY = Path(__file__).parents[3]
MADE = Made("evaluate", "")
ITEMS, TYPES = 1200, ("colour", "shape")
ARMS = {"one": "one_tower", "vit": "two_tower_vit", "cnn": "two_tower_cnn"}
RIGHT = {
    "one_tower": 0.6, "two_tower_vit": 0.5, "two_tower_cnn": 0.8, "one_tower_quarter": 0.4,
    "one_tower_eighth": 0.3, "two_tower_cnn_quarter": 0.7, "two_tower_cnn_eighth": 0.65,
    "cnn_64x2": 0.8, "cnn_128x1": 0.79, "cnn_192x2": 0.8, "start_random": 0.5, "start_text": 0.4, "start_vision": 0.9,
    "start_one_random": 0.3, "start_one_pretrained": 0.5, "start_pretrained": 0.95, "start_frozen": 0.95, "refer": 0.6, "refer_towers": 0.4, "blind": 0.2, "shuffled_images": 0.2,
    "random": 0.1, "refer_random": 0.2,
}  # fmt: skip
"""Share of right answers of each variant; the same items are easy for all."""


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tree(tmp_path_factory, collect_all) -> Path:
    """A whole study: results, runs, parameters."""
    root = tmp_path_factory.mktemp("tree")
    ease = np.random.default_rng(0).random(ITEMS)
    variants = Plan(load_config(base=REPOSITORY / "config.yaml")).studies["essen"].variants
    for name, settings in variants.items():
        for seed in settings.seeds or (0,):
            folder = root / "results" / "essen" / name / f"seed{seed}"
            for benchmark in settings.benchmarks:
                if benchmark == "latency":
                    metrics = [
                        Metric(f"ms/own/batch16{end}", ms, ms, ms, 5, None, False)
                        for end, ms in (("", 2.0), ("/questions16", 3.0))
                    ]
                    write_result(folder, "latency", pd.DataFrame({"ms": [2.0]}), metrics, MADE)
                else:
                    write_answers(folder, benchmark, ease < RIGHT[name])
            run = root / "runs" / "essen" / name / f"seed{seed}"
            write_json(run / "settings.json", settings.model_dump(mode="json"))
            lines = [
                {"step": s, "seen": 32 * s, "seconds": s / 10, "loss": 2.0, "score": s / 900}
                for s in (200, 400, 600, 800)
            ]
            for line, score in zip(lines, (0.2, 0.4, 0.6, 0.61), strict=True):
                line["val_score"] = score
            (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            write_record(run / "manifest.json", {"stage": "train", "steps": 800, "seen": 25600})
    path = root / "results" / "essen" / "parameters.csv"
    parameter_table(variants).to_csv(path, index=False)
    write(path.with_suffix(".json"), Made("parameters", ""), [path])
    collect_all(root / "results")
    collect_all(root / "results", "essen")
    return root


def write_answers(folder: Path, benchmark: str, right: np.ndarray) -> None:
    table = pd.DataFrame(
        {
            "item_id": [f"q{i}" for i in range(ITEMS)], "cluster": [f"image-{i // 3}" for i in range(ITEMS)],
            "group": np.array(TYPES)[np.arange(ITEMS) % 2], "prediction": np.where(right, "yes", "no"), "target": "yes",
            "score": right.astype(float), "ties": 1, "chance": 0.25,
        }
    )  # fmt: skip
    write_result(folder, benchmark, table, classification_metrics(table), MADE)


@pytest.fixture
def study(tree) -> EssenResults:
    return EssenResults("essen", tree / "results", tree / "runs")


def verdict(study: EssenResults, name: str) -> tuple[str, str]:
    claim = next(one for one in essen_claims(**ARMS) if one.id == name)
    found = claim.test(study)
    return found.verdict, found.evidence


def test_claims_follow_the_planted_scores(study):
    judged = claims_table(study, essen_claims(**ARMS)).set_index("claim")
    assert judged["verdict"].value_counts().to_dict() == {HOLDS: 13, FAILS: 2}
    assert verdict(study, "two_vit")[0] == FAILS
    assert verdict(study, "mixed_text")[0] == HOLDS
    assert verdict(study, "mixed_vision")[0] == FAILS
    assert verdict(study, "fusion")[0] == HOLDS
    assert verdict(study, "scarce")[0] == HOLDS
    holds, evidence = verdict(study, "shrinks")
    assert holds == HOLDS, "35 points on an eighth, 20 on all"
    assert re.match(r"\+1[3-7]", evidence)


def test_an_advantage_of_runs_that_still_learn_is_not_judged(study, monkeypatch):
    monkeypatch.setattr(study, "rise", lambda variant: (0.5, 0.6))
    holds, evidence = verdict(study, "shrinks")
    assert holds == OPEN
    assert "validation still rose by 10.0 points at the end" in evidence


def test_arms_are_compared_with_their_sizes_and_speeds(study):
    table = tables.arms_table(study, EASY, [*ARMS.values(), "random"], base="one_tower").set_index("model")
    assert table.loc["Two towers, CNN", "to One tower"].startswith("+20")
    assert table.loc["One tower", "items a second"] == "320"
    assert table.loc["Two towers, ViT", "parameters"].endswith(" M")
    assert table.loc["Random answers (control)", "parameters"] == "–"
    assert isinstance(tables.arms_table(study, "nothing", ["one_tower"], base="one_tower"), NotRun)


def test_three_arms_have_as_many_parameters(study):
    sizes = {name: study.size(name) for name in ARMS.values()}
    words = 30522 * 32
    for shared in (0, words):
        own = [size - shared for size in sizes.values()]
        assert max(own) / min(own) < 1.02, sizes


def test_shapes_and_shares_are_found_by_their_settings(study):
    assert study.shapes("two_tower_cnn") == ["cnn_64x2", "cnn_128x1", "two_tower_cnn", "cnn_192x2"]
    assert study.shares("one_tower") == ["one_tower_eighth", "one_tower_quarter", "one_tower"]
    table = tables.shapes_table(study, EASY, "two_tower_cnn")
    assert table["width / hidden × layers"].tolist()[-1] == "192 / 768 × 2"
    rows = tables.converged_table(study, EASY, study.shares("one_tower"))
    assert rows["change"].tolist() == ["+1.0"] * 3


def test_figures_show_both_arms_and_every_shape(study):
    figure = figures.data_curve(study, EASY, one="one_tower", two="two_tower_cnn")
    left, right = figure.axes
    assert left.lines[0].get_ydata() == pytest.approx([30, 40, 60], abs=3)
    assert [one.get_text() for one in right.get_xticklabels()] == ["1/8", "1/4", "1"]
    shapes = figures.by_size(study, EASY, {"shape": study.shapes("two_tower_cnn")}, part="cross-modal layers")
    assert len(shapes.axes[0].texts) == 4
    assert isinstance(figures.data_curve(study, EASY, one="refer", two="two_tower_cnn"), NotRun)


def test_the_overview_has_the_main_models(study):
    table = overview(study, study.models(**ARMS)).set_index("model")
    assert table["easy_vqa"].tolist() == pytest.approx([60, 50, 80, 95], abs=3)
    assert table["scene_qa"].isna().all()
    assert table.loc["Two towers, CNN", "ms"] == 3.0
    assert table.loc["Two towers, CNN", "online"] < table.loc["Two towers, CNN", "parameters"]
    assert table.loc["One tower", "online"] == table.loc["One tower", "parameters"]


def test_the_whole_notebook_renders(tree, style, monkeypatch):
    monkeypatch.chdir(tree)
    html = tree / "results" / "reports" / "essen.html"
    render(style.parent / "essen.py", tree / "logs" / "essen.ipynb", html, {"study": "essen", "style": str(style)})
    page = html.read_text(encoding="utf-8")
    assert "Traceback" not in page
    assert page.count("Not run in this size") == 1, "the data sets are not on disk"
    wanted = set(re.findall(r'report\.figure\(\s*"(\w+)"', (style.parent / "essen.py").read_text(encoding="utf-8")))
    assert {path.stem for path in (tree / "results" / "figures" / "essen").glob("*.svg")} == wanted
    assert (tree / "results" / "figures" / "essen" / f"{REFER}.csv").is_file()
