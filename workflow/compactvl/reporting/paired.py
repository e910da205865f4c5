"""Two variants compared item by item, and the claims that are such comparisons.

Models are compared on the same items, so the interval is of the items' differences: what makes an item hard for both
is in neither. Whole clusters (items about one image) are resampled together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from compactvl.evaluation.statistics import Interval, bootstrap_interval, stratified_bootstrap
from compactvl.reporting.claims import Outcome, greater, missing, points
from compactvl.reporting.study import StudyResults


class Measure(NamedTuple):
    """One metric of one variant, as :meth:`StudyResults.estimate` and :meth:`StudyResults.items` find it."""

    variant: str
    benchmark: str
    metric: str


Pair = tuple[Measure | Sequence[Measure], Measure]
"""What is compared: a metric (or the items' mean of several variants), and what is taken from it."""


def versus(a: str, b: str, benchmark: str, *metrics: str) -> list[Pair]:
    """Return the pairs that compare variant ``a`` with ``b`` on each metric."""
    return [(Measure(a, benchmark, metric), Measure(b, benchmark, metric)) for metric in metrics]


def difference(study: StudyResults, *pairs: Pair) -> Interval | None:
    """Return (mean, low, high) of the paired difference, first minus second; ``None`` where one was not measured.

    Several pairs weigh the same. Clusters are resampled within their stratum, where a metric has strata, and within
    their pair.
    """
    parts = []
    for number, (a, b) in enumerate(pairs):
        part = _differences(study, [a] if isinstance(a, Measure) else a, b)
        if part is None:
            return None
        if len(pairs) > 1 or "stratum" in part:
            part = part.assign(stratum=f"{number}:" + part.get("stratum", pd.Series("", part.index)).astype(str))
        parts.append(part)
    table = pd.concat(parts)
    clusters = table["cluster"].astype(str).to_numpy()
    if "stratum" not in table:
        return bootstrap_interval(table["value"], clusters)
    # Each part weighs the same, and within it each stratum.
    shares = [table["stratum"].nunique() / (len(parts) * part["stratum"].nunique()) for part in parts]
    values = np.repeat(shares, [len(part) for part in parts]) * table["value"].to_numpy()
    return stratified_bootstrap(values, table["stratum"].to_numpy(), clusters)[0]


def _differences(study: StudyResults, many: Sequence[Measure], b: Measure) -> pd.DataFrame | None:
    """Items of ``many`` and ``b`` with ``value``, the mean of ``many`` minus ``b``."""
    tables = [study.items(*measure) for measure in (*many, b)]
    if not many or any(table is None for table in tables):
        return None
    *left, right = tables
    value = pd.concat([table["value"] - right["value"] for table in left], axis=1, join="inner").mean(axis=1)
    joined = left[0].assign(value=value).dropna(subset="value")
    return None if joined.empty else joined


def absent(study: StudyResults, *measures: Measure) -> Outcome | None:
    """Return the outcome of a claim for want of some of these metrics; ``None`` where all were measured."""
    lacking = [f"{m.variant} ({study.metric_label(m.metric)})" for m in measures if study.estimate(*m) is None]
    return missing(*dict.fromkeys(lacking)) if lacking else None


def better(study: StudyResults, pairs: Sequence[Pair], *, mean: bool = False) -> Outcome:
    """Judge "the first is better than the second": in each pair, or in the mean of all; the evidence names each."""
    if lacking := absent(study, *(measure for pair in pairs for measure in pair)):
        return lacking
    each = {from_to(study, *pair): difference(study, pair) for pair in pairs}
    if not mean or len(pairs) == 1:
        return greater(each)
    outcome = greater({f"mean of {len(pairs)}": difference(study, *pairs)})
    return outcome.also("; ".join(f"{name} {points(interval)}" for name, interval in each.items()))


def about(study: StudyResults, a: Measure, b: Measure, margin: float) -> Outcome:
    """Judge "``a`` is not worse than ``b`` by more than a margin" (0..1)."""
    return absent(study, a, b) or greater({from_to(study, a, b): difference(study, (a, b))}, margin)


def above_chance(study: StudyResults, measure: Measure) -> Outcome:
    """Judge "a metric's whole interval lies above its chance level"."""
    if lacking := absent(study, measure):
        return lacking
    found = study.estimate(*measure)
    name = f"{study.metric_label(measure.metric)} {100 * found.value:.1f} against {100 * found.chance:.1f} by chance,"
    return greater({name: tuple(value - found.chance for value in found[:3])})


def from_to(study: StudyResults, a: Measure, b: Measure) -> str:
    """Return "metric b → a," in per cent: what a difference is of."""
    before, after = (f"{100 * study.estimate(*measure).value:.1f}" for measure in (b, a))
    return f"{study.metric_label(a.metric)} {before} → {after},"
