"""Verdicts, tables and their LaTeX, the paired difference."""

import numpy as np
import pandas as pd
import pytest

from compactvl.errors import UserError
from compactvl.evaluation.retrieval import query_hits
from compactvl.reporting import edje, tables
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, claims_table, greater, within
from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import use_style


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


def test_claims(tree):
    study = StudyResults("edje", tree / "results", tree / "runs")
    table = claims_table(study, edje.edje_claims(main="compressed_12", first_stage="retriever"))
    verdict = dict(zip(table["claim"].str.split().str[:2].str.join(" "), table["verdict"], strict=True))
    assert verdict["Reranking improves"] == HOLDS
    assert verdict["64 pairs"] == OPEN
    absent = claims_table(study, edje.edje_claims(main="compressed_99", first_stage="retriever"))
    assert "not run in this size: compressed_99" in absent["evidence"].iloc[0]


def test_difference_is_the_difference_of_the_metrics(tree):
    study = StudyResults("edje", tree / "results", tree / "runs")
    for direction in ("t2i", "i2t", "both"):
        metric = "mean_r1" if direction == "both" else f"{direction}_r1"
        a, b = (study.estimate(v, "scenes", metric).value for v in ("compressed_12", "retriever"))
        mean, low, high = study.difference("compressed_12", "retriever", "scenes", direction)
        assert mean == pytest.approx(a - b, abs=1e-4)
        assert low < mean < high
    assert study.difference("compressed_12", "nobody", "scenes", "both") is None
    assert study.estimate("compressed_12", "scenes", "t2i_r1").seeds == 2
    assert study.estimate("compressed_12", "scenes_pools", "t2i_r1").value == pytest.approx(
        np.mean(
            [query_hits(t, "t2i", 10, 1).mean() for t in study.predictions("compressed_12", "scenes_pools").values()]
        ),
        abs=1e-4,
    )


def test_tables(tree):
    study = StudyResults("edje", tree / "results", tree / "runs", local_tokens=64)
    table = tables.retrieval_table(study, ["retriever", "nobody", "compressed_12"])
    assert table["model"].tolist() == ["Embedding model", "EDJE, 12 tokens", "Chance"]
    cost = tables.cost_table(study, ["compressed_8", "local"]).set_index("model")
    assert cost.loc["EDJE, 8 tokens", "kB/image"] == "6.1"
    assert cost.loc["EDJE local (all tokens)", "tokens"] == "64"
    assert isinstance(tables.retrieval_table(study, ["nobody"]), NotRun)
    difference = tables.settings_difference(study, "compressed_12", "paper_recipe")
    assert difference["setting"].tolist() == ["optimiser.batch", "optimiser.clip"]


def test_latex_is_escaped():
    text = tables.table_latex(pd.DataFrame({"R@1 (%)": ["a_b & 1→2"]}))
    assert r"R@1 (\%)" in text
    assert r"a\_b \& 1$\rightarrow$2 \\" in text
    assert r"\toprule" in text


def test_labels():
    assert label("compressed_24") == "EDJE, 24 tokens"
    assert label("my_variant") == "my variant"


def test_bad_input(tree, tmp_path):
    with pytest.raises(UserError, match="no row of study 'none'"):
        StudyResults("none", tree / "results", tree / "runs")
    with pytest.raises(UserError, match="style"):
        use_style(tmp_path / "none.mplstyle")
