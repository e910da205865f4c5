"""What EDJE's report reads: hits, tokens by settings, names, timings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compactvl.config.overlay import load_config
from compactvl.evaluation.retrieval import query_hits
from compactvl.reporting.paired import Measure, difference
from compactvl.studies.edje.report.figures.recall import recall_vs_tokens
from compactvl.studies.edje.report.results import EdjeResults

REPOSITORY = Path(__file__).parents[4]


def test_tokens_are_those_of_the_settings(study, changed):
    assert study.token_arms("compressed_12") == {
        "compressed_4": 4, "compressed_8": 8, "compressed_12": 12, "mine": 16, "compressed_24": 24,
    }  # fmt: skip
    assert study.tokens("local") == 64
    assert study.tokens("retriever") is None
    assert study.label("edje") == "EDJE, 12 tokens"
    ticks = (
        recall_vs_tokens(study, arms=study.token_arms("compressed_12"), first_stage="retriever").axes[0].get_xticks()
    )
    assert sorted(ticks) == [4, 8, 12, 16, 24, 64]
    others = changed(
        edje={"settings.json": {"adapter": {"tokens": 16}}}, compressed_8={"settings.json": {"adapter": {"tokens": 10}}},
        compressed_24={"settings.json": {"optimiser": {"steps": 81}}},
    )  # fmt: skip
    assert list(others.token_arms("compressed_12").values()) == [4, 10, 12, 16], "24 tokens were trained otherwise"
    assert others.label("edje") == "EDJE, 16 tokens"
    assert others.label("compressed_8") == "EDJE, m = 10"


def test_items_are_the_queries_hits(study):
    """A metric is the mean of its items, whatever the number of queries of each direction."""
    for variant, benchmark in (("edje", "scenes"), ("retriever", "names"), ("edje", "scenes_pools")):
        for metric in ("t2i_r1", "i2t_r1", "t2i_r5", "mean_r1"):
            items = study.items(variant, benchmark, metric)
            assert items["value"].mean() == pytest.approx(study.estimate(variant, benchmark, metric).value, abs=1e-5)
    hits = study.items("edje", "scenes", "t2i_r1")
    tables = study.predictions("edje", "scenes").values()
    for (_, query), row in list(hits.iterrows())[:20]:
        right = []
        for table in tables:
            (_, found), = table[(table["query_id"] == query) & (table["direction"] == "t2i")].iterrows()  # fmt: skip
            right.append(found["relevant"][int(np.argmax(found["scores"][:10]))])
            assert row["cluster"] == found["cluster_id"]
        assert row["value"] == np.mean(right)
    assert study.items("nobody", "scenes", "t2i_r1") is None


def test_a_name_without_a_pool_means_the_default_pool(study):
    expected = [query_hits(t, "t2i", 10, 1).mean() for t in study.predictions("edje", "scenes_pools").values()]
    assert study.estimate("edje", "scenes_pools", "t2i_r1").value == pytest.approx(np.mean(expected), abs=1e-5)
    assert study.pool("edje", "scenes_pools") == 10
    assert study.estimate("edje", "scenes", "t2i_r1").seeds == 2


def test_a_difference_is_the_difference_of_the_metrics(study):
    for metric in ("t2i_r1", "i2t_r1", "mean_r1"):
        a, b = (Measure(variant, "scenes", metric) for variant in ("edje", "retriever"))
        mean, low, high = difference(study, (a, b))
        assert mean == pytest.approx(study.estimate(*a).value - study.estimate(*b).value, abs=1e-5)
        assert low < mean < high


def test_timings_are_of_one_seed_in_the_order_asked_for(study):
    rows = study.timed(["local", "edje"])
    assert rows["variant"].unique().tolist() == ["local", "edje"]
    raw = pd.read_parquet(study.results / "edje" / "edje" / "seed0" / "efficiency.parquet")
    assert rows[rows["variant"] == "edje"]["ms"].tolist() == raw["ms"].tolist()


def test_every_variant_of_the_demo_has_a_name_of_its_own(study):
    variants = load_config([], REPOSITORY / "config.yaml")["studies"]["edje"]["variants"]
    shown = [name for name, body in variants.items() if study.metrics["variant"].eq(name).any()]
    names = {variant: study.label(variant) for variant in shown}
    assert len(set(names.values())) == len(names) == len(shown)
    assert not {variant for variant, name in names.items() if name == variant.replace("_", " ")}
    assert study.label("my_variant") == "my variant"
    assert set(EdjeResults.LABELS) - {"cross_encoder", "transformers_bert"} <= set(variants)
