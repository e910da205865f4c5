"""Two variants compared item by item, and the claims that are such comparisons.

Models are compared on the same items, so the interval is of the items' differences: what makes an item hard for both
is in neither. Whole clusters (items about one image) are resampled together. Where a variant has several seeds, the
bootstrap has two levels: each resample draws clusters of items, and of each variant as many of its seeds.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from compactvl.evaluation.statistics import (
    RESAMPLES,
    SEED,
    Interval,
    bootstrap_interval,
    group_means,
    percentiles,
    stratified_bootstrap,
)
from compactvl.reporting.claims import Outcome, greater, missing, points
from compactvl.reporting.study import OF_SEED, StudyResults

TERM = "term "
"""Begins the name of a column with one seed's values of one term."""


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
    sums = []
    for a, b in pairs:
        many = [a] if isinstance(a, Measure) else a
        sums.append([*((one, 1 / len(many)) for one in many), (b, -1.0)])
    return contrast(study, *sums)


def contrast(study: StudyResults, *sums: Sequence[tuple[Measure, float]]) -> Interval | None:
    """Return (mean, low, high) of a weighted sum of metrics over the same items, or of several sums' mean.

    See :func:`difference`, of which the weights are 1 and −1.
    """
    parts = []
    for number, terms in enumerate(sums):
        part = _weighted(study, terms)
        if part is None:
            return None
        if len(sums) > 1 or "stratum" in part:
            part = part.assign(stratum=f"{number}:" + part.get("stratum", pd.Series("", part.index)).astype(str))
        parts.append(part)
    if any(name.startswith(TERM) for part in parts for name in part):
        return _two_levels(parts, sums)
    table = pd.concat(parts)
    clusters = table["cluster"].astype(str).to_numpy()
    if "stratum" not in table:
        return bootstrap_interval(table["value"], clusters)
    # Each part weighs the same, and within it each stratum.
    shares = [table["stratum"].nunique() / (len(parts) * part["stratum"].nunique()) for part in parts]
    values = np.repeat(shares, [len(part) for part in parts]) * table["value"].to_numpy()
    return stratified_bootstrap(values, table["stratum"].to_numpy(), clusters)[0]


def _weighted(study: StudyResults, terms: Sequence[tuple[Measure, float]]) -> pd.DataFrame | None:
    """Items that all terms have, with ``value``, their weighted sum; where seeds are several, each term's values by seed."""
    tables = [study.items(*measure) for measure, _ in terms]
    if len(terms) < 2 or any(table is None for table in tables):
        return None
    both = pd.concat([table["value"] for table in tables], axis=1, join="inner").dropna()
    joined = tables[0].loc[both.index].assign(value=both.to_numpy() @ [weight for _, weight in terms])
    joined = joined[[name for name in ("value", "cluster", "stratum") if name in joined]]
    of_seed = [[name for name in table if name.startswith(OF_SEED)] for table in tables]
    if any(of_seed):
        for number, (table, names) in enumerate(zip(tables, of_seed, strict=True)):
            for seed, name in enumerate(names or ["value"]):
                joined[f"{TERM}{number}/{seed}"] = table.loc[both.index, name]
    return None if joined.empty else joined


def _two_levels(parts: Sequence[pd.DataFrame], sums: Sequence[Sequence[tuple[Measure, float]]]) -> Interval:
    """Resample items, and of each variant its seeds: the same ones in all terms and parts."""
    rng = np.random.default_rng(SEED)
    seeds: dict[tuple[str, int], np.ndarray] = {}
    mean, draws = 0.0, np.zeros(RESAMPLES)
    for part, terms in zip(parts, sums, strict=True):
        wide = part.filter(like=TERM)
        strata = part.get("stratum", pd.Series("", part.index)).astype(str).to_numpy()
        by_column = group_means(wide.to_numpy(), strata, part["cluster"].astype(str).to_numpy(), rng)
        mean += np.mean(part["value"].groupby(strata).mean()) / len(parts)
        for number, (measure, weight) in enumerate(terms):
            mine = by_column[:, [column.startswith(f"{TERM}{number}/") for column in wide]]
            variant = measure.variant, (count := mine.shape[1])  # a benchmark may have been run on fewer seeds
            if variant not in seeds:
                seeds[variant] = rng.multinomial(count, [1 / count] * count, size=RESAMPLES) / count
            draws += weight * (mine * seeds[variant]).sum(axis=1) / len(parts)
    return (float(mean), *percentiles(draws[:, None])[0])


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
