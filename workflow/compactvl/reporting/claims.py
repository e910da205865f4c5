"""A paper's claims as tests: what it says, what was measured here, and whether that is the same.

A difference is judged by its 95% interval. The claim holds where the whole interval is on the claimed side, does not
hold where it lies on the other side, and cannot be tested where the interval holds both: the test was too small. A claim
whose variants this size leaves to another one is not counted with those.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from compactvl.evaluation.statistics import Interval

Verdict = Literal["holds here", "does not hold here", "cannot be tested here", "not run in this size"]
HOLDS: Verdict = "holds here"
FAILS: Verdict = "does not hold here"
OPEN: Verdict = "cannot be tested here"
LEFT: Verdict = "not run in this size"
MOST_TIMES = 100
"""A difference that needs more than so many times the items is as good as none."""
Origin = Literal["paper", "question", "control"]


@dataclass(frozen=True)
class Outcome:
    """What came of a claim.

    Attributes:
        verdict: whether it holds here. evidence: the numbers behind it, in words.
        times: how many times as many independent items (and seeds) would have told, if the difference is as large as
            measured: an interval shrinks with their square root. ``None`` where that is not known, or it was told.
    """

    verdict: Verdict
    evidence: str
    times: float | None = None

    def also(self, evidence: str) -> "Outcome":
        """Return the same with more evidence after it; nothing is added for ``""``."""
        return replace(self, evidence=f"{self.evidence}; {evidence}") if evidence else self


@dataclass(frozen=True)
class Claim:
    """One claim of a paper (or one question the paper leaves open, or a control).

    Attributes:
        id: short name. text: the claim in a sentence. test: judges it on a study's results. origin: whose it is.
    """

    id: str
    text: str
    test: Callable[[Any], Outcome]
    origin: Origin = "paper"


def missing(*what: str) -> Outcome:
    """Return the outcome for variants that were not run."""
    return Outcome(LEFT, f"not run: {', '.join(what)}")


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign: ``−0.139``."""
    return f"{value:+.{digits}f}".replace("-", "−")


def signed_interval(interval: Interval, digits: int = 3, unit: str = "") -> str:
    """Return a difference in words: ``+0.021 [+0.015, +0.027]``."""
    mean, low, high = (signed(value, digits) for value in interval)
    return f"{mean}{unit} [{low}, {high}]"


def points(interval: Interval) -> str:
    """Return a difference of shares in words: ``+5.1 points [+2.0, +8.2]``."""
    mean, low, high = interval
    return signed_interval((100 * mean, 100 * low, 100 * high), 1, " points")


def judge(intervals: Iterable[Interval], margin: float = 0.0) -> Verdict:
    """Judge "each is above −margin": holds if every whole interval is, fails if one whole interval is below."""
    intervals = list(intervals)
    if any(high < -margin for _, _, high in intervals):
        return FAILS
    return HOLDS if all(low > -margin for _, low, _ in intervals) else OPEN


def greater(differences: Mapping[str, Interval], margin: float = 0.0) -> Outcome:
    """Judge "more, in each of these", or with a margin "at most so much less", with the numbers as evidence.

    Args:
        differences: name → (mean, low, high) in 0..1. margin: in 0..1.
    """
    verdict = judge(differences.values(), margin)
    evidence = "; ".join(f"{name} {points(interval)}" for name, interval in differences.items())
    evidence += f" (margin {100 * margin:g} points)" if margin else ""
    if verdict == OPEN:
        reach = "reaches over the margin" if margin else "holds both signs"
        evidence += f": the interval {reach}, this test is too small to tell"
    return Outcome(verdict, evidence, times_needed(differences.values(), margin) if verdict == OPEN else None)


def times_needed(intervals: Iterable[Interval], margin: float = 0.0) -> float:
    """Return how many times as many items all undecided intervals would need to lie on one side of −margin.

    Infinite where one's mean is −margin, so that more of the same items never tell, or no interval is known.
    """
    undecided = [(abs(mean + margin), (high - low) / 2) for mean, low, high in intervals if low <= -margin <= high]
    return max(((half / away) ** 2 if away else math.inf for away, half in undecided), default=math.inf)


def claims_table(study: Any, claims: Sequence[Claim]) -> pd.DataFrame:
    """Test every claim and return columns claim, of (whose it is), verdict, evidence, "would take": how many more items."""
    outcomes = [(claim, _test(study, claim)) for claim in claims]
    rows = [(c.text, c.origin, found.verdict, found.evidence, _would_take(found.times)) for c, found in outcomes]
    return pd.DataFrame(rows, columns=["claim", "of", "verdict", "evidence", "would take"])


def _test(study: Any, claim: Claim) -> Outcome:
    """Test a claim, and say over how many seeds of its variants."""
    read = getattr(study, "seeds_read", {})
    read.clear()
    found = claim.test(study)
    if found.verdict == LEFT or not any(read.values()):
        return found
    fewest, most = min(filter(None, read.values())), max(read.values())
    return found.also("one seed" if most == 1 else f"{fewest} seeds" if fewest == most else f"{fewest} to {most} seeds")


def _would_take(times: float | None) -> str:
    if times is None:
        return ""
    return (
        f"{times:.{0 if times >= 10 else 1}f} × the items" if times < MOST_TIMES else f"over {MOST_TIMES} × the items"
    )


def verdicts_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Count the verdicts of :func:`claims_table` by whose claims they are."""
    counts = pd.crosstab(judged["of"], judged["verdict"]).reindex(columns=[HOLDS, FAILS, OPEN, LEFT], fill_value=0)
    order = dict.fromkeys(judged["of"])
    return counts.reindex(list(order)).rename_axis(columns=None).reset_index()
