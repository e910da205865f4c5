"""EDJE's tables: numbers against metrics and predictions."""

import numpy as np
import pandas as pd
import pytest

from compactvl.evaluation.results import write_result
from compactvl.evaluation.winoground import winoground_metrics
from compactvl.records.record import Made
from compactvl.reporting.pictures import open_set
from compactvl.reporting.study import NotRun
from compactvl.reporting.tables import MISSING, parameter_table, runs_table, settings_table
from compactvl.studies.edje.report import tables
from compactvl.studies.edje.report.results import EdjeResults


def test_retrieval_and_cost(study):
    table = tables.retrieval_table(study, ["retriever", "nobody", "edje"])
    assert table["model"].tolist() == ["Embedding model", "EDJE, 12 tokens", "Chance"]
    metrics = pd.read_csv(study.results / "edje" / "metrics.csv").query("variant == 'edje' and benchmark == 'scenes'")
    for column, metric in {"Text→image R@1": "t2i_r1", "Image→text R@5": "i2t_r5"}.items():
        rows = metrics[metrics["metric"] == metric]
        assert table[column][1].startswith(f"{100 * rows['value'].mean():.1f} ± {100 * rows['value'].std():.1f}")
        assert table[column][2] == f"{100 * rows['chance'].iloc[0]:.1f}"
    cost = tables.cost_table(study, ["late_interaction", "compressed_8", "local"]).set_index("model")
    assert cost.loc["EDJE, m = 8", "kB/image"] == "6.1"
    assert cost.loc["EDJE local (all tokens)", "tokens"] == "64"
    assert cost.loc["Late interaction", "kB/image"] == "9.2"
    assert cost["parameters"].str.fullmatch(r"[\d.]+ M").all()
    timed = study.timings.query("variant == 'local' and source == 'memory' and batch == 64")["ms"].item()
    assert cost.loc["EDJE local (all tokens)", "ms for 64 pairs"] == f"{timed:.2f}"
    assert isinstance(tables.retrieval_table(study, ["nobody"]), NotRun)


def test_runs_and_their_settings(study):
    table = runs_table(study, ["nobody", "edje", "compressed_4", "random_scores"]).set_index("model")
    assert table.index.tolist() == ["EDJE, 12 tokens", "EDJE, m = 4", "Random scores (control)"]
    assert table["starts from"].tolist() == [
        "trunk (adapter), trunk (joint)",
        "align_4 (adapter), trunk (joint)",
        MISSING,
    ]
    assert table["samples seen"].iloc[0] == f"{38_400 + 96 * study.settings('edje')['optimiser']['steps']:,}"
    difference = settings_table(study, "trunk", "paper_recipe").set_index("setting")
    kept = study.settings("trunk")["adapter"]["hidden"]
    assert difference.loc["adapter.hidden"].tolist() == [str(kept), "8192"]
    assert "adapter.tokens" not in difference.index
    assert isinstance(settings_table(study, "edje", "edje"), NotRun)
    assert "joint encoder" in parameter_table(study, ["edje", "local"])["part"].tolist()


def test_names_are_split_by_what_scenes_show(study, tree):
    names, scenes = (open_set(tree / "data" / "sets", name) for name in ("names", "scenes"))
    table = tables.concepts_table(study, ["retriever_names", "nobody", "edje"], queries=names, trained=scenes)
    assert table["concept"].tolist() == ["in scenes", "not in scenes"] * 2
    assert table["images"].astype(int).tolist() == [20, 20] * 2
    halves = table["Text→image R@1"].str.split().str[0].astype(float)
    whole = study.estimate("retriever_names", "names", "t2i_r1").value
    assert halves[:2].mean() == pytest.approx(100 * whole, abs=0.1)
    assert isinstance(tables.concepts_table(study, ["edje"], queries=None, trained=scenes), NotRun)


def test_swaps(study, changed, collect_all):
    table = tables.swaps_table(study, ["retriever", "nobody", "edje"])
    assert table["exchanged"].tolist()[:5] == ["all", "above / below", "count", "left / right", "size"]
    assert table["items"].tolist()[:2] == ["160", "40"]
    assert table.iloc[-1][["text score", "image score", "group score"]].tolist() == ["25.0", "25.0", "16.7"]
    scores = study.predictions("edje", "swaps")[0]
    group = (scores.s00 > np.maximum(scores.s01, scores.s10)) & (scores.s11 > np.maximum(scores.s01, scores.s10))
    means = [group.mean(), *group.groupby(scores["kind"]).mean()]
    both = study.predictions("edje", "swaps")[1]
    again = (both.s00 > np.maximum(both.s01, both.s10)) & (both.s11 > np.maximum(both.s01, both.s10))
    means = np.mean([means, [again.mean(), *again.groupby(both["kind"]).mean()]], axis=0)
    shown = table[table["model"] == "EDJE, 12 tokens"]["group score"].str.split().str[0].astype(float)
    assert shown.tolist() == pytest.approx(100 * means, abs=0.051)

    copy = changed()
    blind = copy.results / "edje" / "late_interaction" / "seed0"
    scores = pd.read_parquet(blind / "swaps.parquet")
    scores["s10"], scores["s11"] = scores["s00"], scores["s01"] * (1 + 1e-7)
    write_result(blind, "swaps", scores, winoground_metrics(scores), Made("evaluate", ""))
    collect_all(copy.results, "edje")
    table = tables.swaps_table(EdjeResults("edje", copy.results, copy.runs), ["late_interaction", "edje"])
    assert table["tied"].tolist()[:5] == ["100"] * 5
    assert table["group score is"].tolist()[:6] == ["below chance"] * 5 + ["above chance"]


def test_throughput(study):
    table = tables.throughput_table(study)
    assert table["pairs / s"].tolist() == [f"{rate:,.0f}" for rate in study.timings["pairs_per_s"]]
    assert set(table["precision"]) == {"bf16"}
    facts = tables.environment_table(study).set_index("fact")["value"]
    assert facts["device"] == "cpu"
    assert "numpy" in facts
