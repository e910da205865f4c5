"""Verdicts by intervals."""

import math

import numpy as np
import pytest

from compactvl.evaluation.statistics import bootstrap_interval
from compactvl.reporting.claims import (
    FAILS,
    HOLDS,
    OPEN,
    Claim,
    Outcome,
    claims_table,
    greater,
    missing,
    verdicts_table,
)


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


def test_greater_needs_each():
    assert greater({"a": (0.05, 0.01, 0.09), "b": (0.01, -0.01, 0.03)}).verdict == OPEN
    assert greater({"a": (0.05, 0.01, 0.09), "b": (-0.03, -0.05, -0.01)}).verdict == FAILS
    assert greater({"a": (-0.051, -0.1, 0.02)}).evidence.startswith("a −5.1 points [−10.0, +2.0]: ")


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.0, -0.01, 0.01), HOLDS),
        ((-0.01, -0.03, 0.01), OPEN),
        ((-0.05, -0.08, -0.03), FAILS),
        ((0.1, 0.05, 0.2), HOLDS),
    ],
)
def test_greater_within_a_margin(interval, verdict):
    outcome = greater({"x": interval}, 0.02)
    assert outcome.verdict == verdict
    assert "(margin 2 points)" in outcome.evidence


def test_how_many_more_items_would_have_told():
    found = greater({"a": (0.03, -0.03, 0.09), "b": (0.05, 0.01, 0.09), "c": (0.01, -0.01, 0.03)})
    assert found.times == pytest.approx(4)  # both are two half widths from 0
    # From values: four times the items, half the interval.
    rng = np.random.default_rng(0)
    few, many = (bootstrap_interval(np.tile(rng.normal(size=400), n)) for n in (1, 4))
    assert (few[2] - few[1]) / (many[2] - many[1]) == pytest.approx(2, rel=0.1)
    assert greater({"a": (0.05, 0.01, 0.09)}).times is None
    assert greater({"a": (0.05, 0.01, 0.09), "b": (0.0, 0.0, 0.0)}).times == math.inf, "all items of b are ties"
    assert greater({"a": (0.05, math.nan, math.nan)}).times == math.inf
    assert greater({"a": (-0.01, -0.03, 0.01)}, 0.02).times == pytest.approx(4)


def test_evidence_says_over_how_many_seeds():
    class Study:
        def __init__(self, **seeds):
            self.seeds_read, self.found = {}, seeds

    def ask(study):
        study.seeds_read |= study.found
        return Outcome(HOLDS, "x")

    for seeds, said in (
        ({"a": 1, "b": 1}, "one seed"),
        ({"a": 5, "b": 5}, "5 seeds"),
        ({"a": 2, "b": 1}, "1 to 2 seeds"),
    ):
        assert claims_table(Study(**seeds), [Claim("c", "C.", ask)])["evidence"][0] == f"x; {said}"
    nobody = claims_table(Study(a=0), [Claim("c", "C.", lambda study: study.seeds_read.update(a=0) or missing("a"))])
    assert nobody["evidence"][0] == "not run: a"


def test_tables():
    claims = [
        Claim("a", "It holds.", lambda study: Outcome(HOLDS, study)),
        Claim("b", "It was not run.", lambda study: missing("x", "y"), "control"),
        Claim("c", "It holds too.", lambda study: Outcome(HOLDS, "").also("more").also("")),
    ]
    judged = claims_table("seen", claims)
    assert judged["evidence"].tolist() == ["seen", "not run: x, y", "; more"]
    assert judged["would take"].tolist() == ["", "", ""]
    assert verdicts_table(judged).to_numpy().tolist() == [["paper", 2, 0, 0, 0], ["control", 0, 0, 0, 1]]
