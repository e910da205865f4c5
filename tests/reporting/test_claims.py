"""Verdicts, tables and their LaTeX, the paired difference."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compactvl.config.overlay import load_config, merge
from compactvl.errors import UserError
from compactvl.evaluation.collect import collect, find_results
from compactvl.evaluation.results import write_result
from compactvl.evaluation.retrieval import query_hits
from compactvl.evaluation.winoground import winoground_metrics
from compactvl.files import read_json, write_json
from compactvl.records.record import DIGEST, MANIFEST, Made, hashes, write_record
from compactvl.reporting import edje, figures, tables
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, Outcome, claims_table, greater, within
from compactvl.reporting.labels import label
from compactvl.reporting.sources import open_set
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import use_style

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.05, 0.01, 0.09), HOLDS),
        ((0.05, -0.01, 0.11), OPEN),
        ((-0.05, -0.1, 0.0), OPEN),
        ((-0.05, -0.1, -0.01), FAILS),
    ],
)
def test_greater(interval, verdict):
    assert greater({"x": interval}).verdict == verdict


def test_greater_needs_every_direction():
    assert greater({"a": (0.05, 0.01, 0.09), "b": (0.01, -0.01, 0.03)}).verdict == OPEN
    assert greater({"a": (0.05, 0.01, 0.09), "b": (-0.03, -0.05, -0.01)}).verdict == FAILS


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.0, -0.01, 0.01), HOLDS),
        ((-0.01, -0.03, 0.01), OPEN),
        ((-0.05, -0.08, -0.03), FAILS),
        ((0.1, 0.05, 0.2), HOLDS),
    ],
)
def test_within(interval, verdict):
    outcome = within({"x": interval}, 0.02)
    assert outcome.verdict == verdict
    assert "points" in outcome.evidence


def studied(tree) -> StudyResults:
    return StudyResults("edje", tree / "results", tree / "runs", local_tokens=64)


def outcomes(study, **changed) -> dict[str, Outcome]:
    names = {"main": "edje", "first_stage": "retriever", "tokens_main": "compressed_12", "recipe": "trunk"}
    names |= {"undistilled": "compressed_12", "hard_negatives": "hard_negatives"}
    return {claim.id: claim.test(study) for claim in edje.edje_claims(**names | changed)}


def copied(tree, target: Path, **runs) -> Path:
    """The tree with the settings or manifests of runs changed: variant → {file: change}."""
    shutil.copytree(tree / "results", target / "results")
    shutil.copytree(tree / "runs", target / "runs")
    for variant, files in runs.items():
        for name, change in files.items():
            path = target / "runs" / "edje" / variant / "seed0" / name
            body = merge(read_json(path), change)
            if name == MANIFEST:
                write_record(path, {key: value for key, value in body.items() if key != DIGEST})
            else:
                write_json(path, body)
    return target


def test_claims(tree):
    study = studied(tree)
    found = outcomes(study)
    assert found["reranking"].verdict == HOLDS
    assert found["gpu_speed"].verdict == OPEN
    assert not [name for name, outcome in found.items() if "not run in this size" in outcome.evidence]
    absent = claims_table(study, edje.edje_claims(main="compressed_99", first_stage="retriever"))
    assert "not run in this size: compressed_99" in absent["evidence"].iloc[0]


def test_token_counts_say_what_their_start_favours(tree, tmp_path):
    found = outcomes(studied(tree))
    for name in ("few_tokens", "sweet_spot", "storage", "learned_queries"):
        favoured = "in the favoured direction" in found[name].evidence
        assert "start favours m = 12 learned queries" in found[name].evidence
        assert favoured == (found[name].verdict == HOLDS), found[name]
    assert found["few_tokens"].verdict == HOLDS
    assert "start favours m = 12 learned queries, neither of these" in found["many_tokens"].evidence
    assert "favours m = 12" in edje.start_caveat(studied(tree), "compressed_4", "compressed_12", "local")
    apart = {v: {"settings.json": {"start": {"joint": None}}} for v in ("compressed_4", "compressed_12")}
    free = studied(copied(tree, tmp_path, **apart))
    assert "favours" not in outcomes(free)["few_tokens"].evidence
    assert edje.start_caveat(free, "compressed_4", "compressed_12") == ""


def test_distillation_needs_a_better_teacher(tree):
    study = studied(tree)
    assert "of the teacher" in outcomes(study)["distillation"].evidence
    means = {v: 100 * study.estimate(v, "scenes", "mean_r1").value for v in study.measured("scenes")}
    best = max(means, key=means.get)
    assert best != "local"
    weak = outcomes(study, undistilled=best)["distillation"]
    values = [means["local"], means[best]]
    assert weak.verdict == OPEN
    assert all(f"{value:.1f}" in weak.evidence for value in values)


def test_recipe_says_what_it_saw_and_kept(tree, tmp_path):
    seen = {"trunk": {"manifest.json": {"seen": 38400}}, "paper_recipe": {"manifest.json": {"seen": 18000}}}
    study = studied(copied(tree, tmp_path, **seen))
    evidence = outcomes(study)["recipe"].evidence
    assert "`trunk` 38,400, `paper_recipe` 18,000" in evidence
    assert "keeps the demo's 3 layers, 12 tokens, 24 captions a batch" in evidence
    assert "18,000" in edje.recipe_budget(study, "trunk", "paper_recipe")


def test_online_compares_as_many_pairs(tree):
    study = studied(tree)
    rows = study.efficiency.set_index(["variant", "source", "batch"])["pairs_per_s"]
    factor = rows["edje", "store", 64] / rows["edje", "online", 64]
    evidence = outcomes(study)["online"].evidence
    assert evidence.startswith("64 pairs")
    assert evidence.endswith(f"{factor:.1f}×")
    study.efficiency = study.efficiency[~((study.efficiency["source"] == "store") & (study.efficiency["batch"] > 1))]
    study.efficiency = study.efficiency[~((study.efficiency["source"] == "online") & (study.efficiency["batch"] == 1))]
    assert outcomes(study)["online"].verdict == OPEN


def test_difference_is_the_difference_of_the_metrics(tree):
    study = studied(tree)
    for direction in ("t2i", "i2t", "both"):
        metric = "mean_r1" if direction == "both" else f"{direction}_r1"
        a, b = (study.estimate(v, "scenes", metric).value for v in ("edje", "retriever"))
        mean, low, high = study.difference("edje", "retriever", "scenes", direction)
        assert mean == pytest.approx(a - b, abs=1e-4)
        assert low < mean < high
    assert study.difference("edje", "nobody", "scenes", "both") is None
    assert study.estimate("edje", "scenes", "t2i_r1").seeds == 2
    assert study.estimate("edje", "scenes_pools", "t2i_r1").value == pytest.approx(
        np.mean([query_hits(t, "t2i", 10, 1).mean() for t in study.predictions("edje", "scenes_pools").values()]),
        abs=1e-4,
    )


def test_tables(tree):
    study = studied(tree)
    table = tables.retrieval_table(study, ["retriever", "nobody", "edje"])
    assert table["model"].tolist() == ["Embedding model", "EDJE, 12 tokens", "Chance"]
    cost = tables.cost_table(study, ["late_interaction", "compressed_8", "local"]).set_index("model")
    assert cost.loc["EDJE, m = 8", "kB/image"] == "6.1"
    assert cost.loc["EDJE local (all tokens)", "tokens"] == "64"
    assert cost.loc["Late interaction", "kB/image"] == "9.2"
    assert isinstance(tables.retrieval_table(study, ["nobody"]), NotRun)
    difference = tables.settings_difference(study, "trunk", "paper_recipe").set_index("setting")
    kept = study.settings("trunk")["adapter"]["hidden"]
    assert difference.loc["adapter.hidden"].tolist() == [str(kept), "8192"]


def test_parameters_are_those_the_rule_writes(tree):
    study = studied(tree)
    text = (REPOSITORY / "workflow" / "rules" / "report.smk").read_text(encoding="utf-8")
    assert '"results/{study}/parameters.csv"' in text
    cost = tables.cost_table(study, ["retriever", "late_interaction", "edje", "local"])
    assert cost["parameters"].str.fullmatch(r"[\d.]+ M").all()
    assert "joint encoder" in tables.parameter_table(study, ["edje", "local"])["part"].tolist()


def test_throughput_shows_the_precision_where_it_is_known(tree):
    study = studied(tree)
    assert set(tables.throughput_table(study)["precision"]) == {"bf16"}
    text = study.efficiency.assign(source="text")
    study.efficiency = pd.concat([study.efficiency, text.drop(columns="precision")], ignore_index=True)
    assert set(tables.throughput_table(study)["precision"]) == {"bf16", tables.MISSING}
    assert not isinstance(figures.throughput(study, variants=["edje"]), NotRun)
    study.efficiency = study.efficiency.drop(columns="precision")
    assert "precision" not in tables.throughput_table(study)


def test_names_are_split_by_what_scenes_show(tree):
    study, sets = studied(tree), tree / "data" / "sets"
    names, scenes = open_set(sets, "names"), open_set(sets, "scenes")
    table = tables.concepts_table(study, ["retriever_names", "nobody", "edje"], queries=names, trained=scenes)
    assert table["concept"].tolist() == ["in scenes", "not in scenes"] * 2
    assert table["images"].astype(int).tolist() == [20, 20] * 2
    halves = table["Text→image R@1"].str.split().str[0].astype(float)
    whole = study.estimate("retriever_names", "names", "t2i_r1").value
    assert halves[:2].mean() == pytest.approx(100 * whole, abs=0.1)
    assert isinstance(tables.concepts_table(study, ["edje"], queries=None, trained=scenes), NotRun)


def test_swaps(tree, tmp_path):
    table = tables.swaps_table(studied(tree), ["retriever", "nobody", "edje"])
    assert table["exchanged"].tolist()[:5] == ["all", "above / below", "count", "left / right", "size"]
    assert table["items"].tolist()[:2] == ["160", "40"]
    assert table.iloc[-1][["text score", "image score", "group score"]].tolist() == ["25.0", "25.0", "16.7"]
    blind = copied(tree, tmp_path) / "results" / "edje" / "late_interaction" / "seed0"
    scores = pd.read_parquet(blind / "swaps.parquet")
    scores["s10"], scores["s11"] = scores["s00"], scores["s01"] * (1 + 1e-7)
    write_result(blind, "swaps", scores, winoground_metrics(scores), Made("evaluate", ""))
    results = tmp_path / "results"
    collect(results, Made("collect", "", inputs=hashes(find_results(results, "edje"))), "edje")
    study = studied(tmp_path)
    assert tables.caption_ties(study, "late_interaction")[""] == 1
    words = edje.swaps_findings(study, ["late_interaction", "edje"]).splitlines()
    assert "does not see which word belongs to what" in words[0]
    assert "below chance: above / below, count, left / right, size" in words[0]
    assert words[1].startswith("- **EDJE, 12 tokens**: group score")


def test_ablations_are_put_to_scale(tree):
    study = studied(tree)
    text = edje.ablation_scale(study, ["itm_only", "itm_mlm"], trunk="trunk", first_stage="retriever")
    for variant in ("retriever", "trunk"):
        assert f"{100 * study.estimate(variant, 'scenes', 'mean_r1').value:.1f} for" in text
    assert f"{study.pairs('trunk'):,}" in text
    assert edje.ablation_scale(study, ["nobody"], trunk="trunk", first_stage="retriever") == ""
    assert "Random scores" in edje.left_out(study, ["random_scores", "edje"], "names")
    assert edje.left_out(study, ["edje"], "names") == ""


def test_latex_is_escaped():
    text = tables.table_latex(pd.DataFrame({"R@1 (%)": ["a_b & 1→2"]}))
    assert r"R@1 (\%)" in text
    assert r"a\_b \& 1$\rightarrow$2 \\" in text
    assert r"\toprule" in text


@pytest.mark.parametrize("overlays", [[], [REPOSITORY / "config" / "paper.yaml"]], ids=["demo", "paper"])
def test_every_variant_has_a_name_of_its_own(overlays):
    config = load_config(overlays, REPOSITORY / "config.yaml")
    variants = [name for name, body in config["studies"]["edje"]["variants"].items() if body is not None]
    names = {variant: label(variant) for variant in variants}
    assert len(set(names.values())) == len(names)
    assert not {variant for variant, name in names.items() if name == variant.replace("_", " ")}
    assert label("my_variant") == "my variant"


def test_bad_input(tree, tmp_path):
    with pytest.raises(UserError, match=r"results/none/metrics\.csv is missing"):
        StudyResults("none", tree / "results", tree / "runs")
    with pytest.raises(UserError, match="style"):
        use_style(tmp_path / "none.mplstyle")
