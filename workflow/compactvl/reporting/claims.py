"""A paper's claims as tests: what it says, what was measured here, and whether that is the same.

A difference is judged by its 95% interval. The claim holds where the whole interval is on the claimed side, does not
hold where it lies on the other side, and cannot be tested where the interval holds both: the test was too small.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.study import StudyResults

Verdict = Literal["holds here", "does not hold here", "cannot be tested here"]
HOLDS: Verdict = "holds here"
FAILS: Verdict = "does not hold here"
OPEN: Verdict = "cannot be tested here"


@dataclass(frozen=True)
class Outcome:
    """What came of a claim: the verdict, and the numbers behind it in words."""

    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Claim:
    """One claim of a paper (or one question the paper leaves open, or a control).

    Attributes:
        id: short name. text: the claim in a sentence. test: judges it on a study's results.
        origin: ``paper`` | ``question`` | ``control``.
    """

    id: str
    text: str
    test: Callable[[StudyResults], Outcome]
    origin: Literal["paper", "question", "control"] = "paper"


def missing(*variants: str) -> Outcome:
    """Return the outcome for variants that were not run."""
    return Outcome(OPEN, f"not run in this size: {', '.join(variants)}")


def points(interval: Interval) -> str:
    """Return a difference in words: ``+5.1 points [+2.0, +8.2]``."""
    mean, low, high = (100 * value for value in interval)
    return f"{mean:+.1f} points [{low:+.1f}, {high:+.1f}]".replace("-", "−")


def greater(differences: dict[str, Interval]) -> Outcome:
    """Judge "more, in each of these": holds if every interval is above zero, fails if one is below it.

    Args:
        differences: name → (mean, low, high) in 0..1.
    """
    evidence = "; ".join(f"{name} {points(interval)}" for name, interval in differences.items())
    if all(low > 0 for _, low, _ in differences.values()):
        return Outcome(HOLDS, evidence)
    if any(high < 0 for _, _, high in differences.values()):
        return Outcome(FAILS, evidence)
    return Outcome(OPEN, f"{evidence}: the interval holds both signs, this test is too small to tell")


def within(differences: dict[str, Interval], margin: float) -> Outcome:
    """Judge "costs no more than ``margin``": holds if every interval is above −margin, fails if one is below it.

    Args:
        differences: name → (mean, low, high) of candidate minus reference, in 0..1. margin: in 0..1.
    """
    evidence = "; ".join(f"{name} {points(interval)}" for name, interval in differences.items())
    evidence += f" (margin {100 * margin:g} points)"
    if all(low > -margin for _, low, _ in differences.values()):
        return Outcome(HOLDS, evidence)
    if any(high < -margin for _, _, high in differences.values()):
        return Outcome(FAILS, evidence)
    return Outcome(OPEN, f"{evidence}: the interval reaches over the margin, this test is too small to tell")


def claims_table(study: StudyResults, claims: Sequence[Claim]) -> pd.DataFrame:
    """Test every claim and return columns claim, origin, verdict, evidence."""
    rows = []
    for claim in claims:
        outcome = claim.test(study)
        rows.append({"claim": claim.text, "of": claim.origin, "verdict": outcome.verdict, "evidence": outcome.evidence})
    return pd.DataFrame(rows)
