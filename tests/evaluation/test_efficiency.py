"""The clock, and the benchmarks' settings."""

import re
import time

import pytest

from compactvl.config.kinds import BENCHMARK_KINDS, find_kind, kind_names, validate_kinds
from compactvl.evaluation.efficiency import efficiency_metrics, environment, measure, timing_row
from compactvl.evaluation.kind import BenchmarkKind


def test_warm_up_is_outside_the_clock():
    calls = []

    def call():
        calls.append(0)
        time.sleep(0.2 if len(calls) == 1 else 0.002)

    timing = measure(call, warmup=1, repeats=5)
    assert len(calls) == 6
    assert timing.repeats == 5
    assert 0.002 <= timing.low <= timing.median <= timing.high < 0.1


def test_the_time_limit_leaves_three_calls():
    assert measure(lambda: time.sleep(0.01), warmup=0, repeats=100, seconds=0.001).repeats == 3


def test_rows_and_metrics():
    timing = measure(lambda: None, warmup=0)
    facts = {"variant": "v", "precision": "bf16", "tokens": 12, "kb_per_image": 9.216}
    rows = [timing_row(timing, source=s, batch=64, pairs=64, **facts) for s in ("memory", "store")]
    rows = [row | {"ms": 2.0, "low": 1.0, "high": 4.0} for row in rows]
    found = {m.name: m for m in efficiency_metrics(rows)}
    assert set(found) == {"pairs_per_s/memory/batch64", "pairs_per_s/store/batch64", "ms_64_pairs", "kb_per_image"}
    rate = found["pairs_per_s/store/batch64"]
    assert (rate.value, rate.low, rate.high) == (32_000, 16_000, 64_000)
    assert found["ms_64_pairs"].value == 2.0
    assert not found["ms_64_pairs"].higher_is_better
    assert environment(threads=2, precision="bf16")["threads"] == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"kind": "retrieval", "dataset": "scenes", "pools": [20, 10]}, "ascending"),
        ({"kind": "retrieval", "dataset": "scenes", "pools": []}, "at least 1"),
        ({"kind": "retrieval", "dataset": "scenes", "storage": "fp4"}, "'fp16', 'int8' or 'fp8'"),
        ({"kind": "retrieval"}, "field required"),
        ({"kind": "retreival", "dataset": "scenes"}, 'did you mean "retrieval"'),
        ({"kind": "efficiency", "dataset": "scenes", "pairs": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_explain_themselves(value, message):
    kinds = kind_names(BENCHMARK_KINDS)
    _, problems = validate_kinds({"b": value}, "benchmarks", kinds, lambda kind: find_kind(BENCHMARK_KINDS, kind))
    assert len(problems) == 1
    assert re.search(message, problems[0])


def test_the_pool_is_never_smaller_than_the_longest_list():
    assert [find_kind(BENCHMARK_KINDS, "retrieval")(kind="retrieval", dataset="s", pools=pools).max_pool
            for pools in ((5,), (5, 50))] == [10, 50]  # fmt: skip


@pytest.mark.parametrize("kind", kind_names(BENCHMARK_KINDS))
def test_every_kind_describes_its_settings_and_says_how_it_is_measured(kind):
    settings = find_kind(BENCHMARK_KINDS, kind)
    assert [name for name, field in settings.model_fields.items() if not field.description] == []
    assert settings.ability
    assert settings.measure is not BenchmarkKind.measure
