"""Verdicts by intervals."""

import pytest

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


def test_tables():
    claims = [
        Claim("a", "It holds.", lambda study: Outcome(HOLDS, study)),
        Claim("b", "It was not run.", lambda study: missing("x", "y"), "control"),
        Claim("c", "It holds too.", lambda study: Outcome(HOLDS, "").also("more").also("")),
    ]
    judged = claims_table("seen", claims)
    assert judged["evidence"].tolist() == ["seen", "not run in this size: x, y", "; more"]
    assert verdicts_table(judged).to_numpy().tolist() == [["paper", 2, 0, 0], ["control", 0, 0, 1]]
