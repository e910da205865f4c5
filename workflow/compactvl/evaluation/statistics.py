"""Intervals by the bootstrap: items are resampled, or whole clusters where items depend on each other.

``clusters`` are ``(n,)`` labels: clusters are drawn, with all their items. ``None``: every item is its own. What is
computed together is computed over the same resamples, and their seed is fixed: equal values give equal intervals.
"""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from compactvl.evaluation.results import Metric

RESAMPLES = 10_000
LEVEL = 0.95
SEED = 0
BLOCK_BYTES = 64 << 20
FEW_VALUES = 8
"""A multinomial draw is the faster one when items are so many times more than different values."""
Interval = tuple[float, float, float]
"""(mean, low, high)."""
Labels = Sequence[str] | np.ndarray


def mean_metrics(
    columns: Mapping[str, Sequence[float] | np.ndarray] | pd.DataFrame,
    clusters: Labels | None = None,
    chance: Mapping[str, float] | None = None,
    lower_is_better: Collection[str] = (),
) -> list[Metric]:
    """Return a metric for each column of items: its mean.

    Args:
        columns: metric's name → ``(n,)`` one value an item; NaN marks an item that does not count.
        chance: level by name; none where a name is missing. lower_is_better: names.
    """
    values = np.stack([np.asarray(columns[name], dtype=float) for name in columns], axis=1)
    levels = {} if chance is None else {name: float(level) for name, level in chance.items()}
    return [
        Metric(name, *interval, int(n), levels.get(name), name not in lower_is_better)
        for name, interval, n in zip(
            columns, bootstrap_means(values, clusters), np.isfinite(values).sum(axis=0), strict=True
        )
    ]


def bootstrap_interval(values: Sequence[float] | np.ndarray, clusters: Labels | None = None) -> Interval:
    """Return the mean of ``values``, ``(n,)``, with its 95% percentile interval."""
    return bootstrap_means(np.asarray(values, dtype=float)[:, None], clusters)[0]


def bootstrap_means(values: np.ndarray, clusters: Labels | None = None) -> list[Interval]:
    """Return each column's mean with its interval.

    Args:
        values: ``(n, columns)`` float; NaN marks an item that does not count for a column.

    Raises:
        ValueError: there is no item, or a column has no value.
    """
    values = np.asarray(values, dtype=float)
    counted = np.isfinite(values)
    if not len(values) or not counted.any(axis=0).all():
        raise ValueError("a mean of no items has no interval")
    return bootstrap_ratios(np.where(counted, values, 0.0), counted, clusters)


def bootstrap_ratios(
    numerators: np.ndarray, denominators: np.ndarray, clusters: Labels | None = None
) -> list[Interval]:
    """Return each column's sum over sum, e.g. log-probability a token of whole texts, with its interval.

    Args:
        numerators, denominators: ``(n, columns)``.
    """
    estimates, draws = resampled_ratios(numerators, denominators, clusters)
    return [(float(x), *tails) for x, tails in zip(estimates, percentiles(draws), strict=True)]


def resampled_ratios(
    numerators: np.ndarray, denominators: np.ndarray, clusters: Labels | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratios ``(columns,)`` and their resamples ``(RESAMPLES, columns)``, for statistics made of several.

    A resample whose denominator is 0 gives NaN. Arguments: see :func:`bootstrap_ratios`.
    """
    sums, counts = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    estimates = sums.sum(axis=0) / counts.sum(axis=0)
    return estimates, _draw_ratios(*_add_up(sums, counts, clusters), np.random.default_rng(SEED))


def mean_difference(
    values: Sequence[float] | np.ndarray, first: np.ndarray, second: np.ndarray, clusters: Labels | None = None
) -> Interval:
    """Return how much larger the mean is over the items in ``first`` than over those in ``second``, with its interval.

    Args:
        values: ``(n,)``. first, second: ``(n,)`` bool, neither empty.
    """
    member = np.stack([first, second], axis=1)
    means, draws = resampled_ratios(member * np.asarray(values, dtype=float)[:, None], member, clusters)
    return float(means[0] - means[1]), *percentiles(draws[:, :1] - draws[:, 1:])[0]


def stratified_bootstrap(
    values: Sequence[float] | np.ndarray, groups: Labels, clusters: Labels | None = None
) -> tuple[Interval, dict[str, Interval]]:
    """Return the mean of the groups' means (a macro mean), and each group's own by sorted label, with intervals.

    Items (or clusters) are resampled within their group, since the groups themselves are given; a cluster in two groups
    is resampled in each.

    Args:
        values: ``(n,)`` finite. groups: ``(n,)`` labels.

    Raises:
        ValueError: there is no item.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups, dtype=object)
    if not len(values):
        raise ValueError("a mean of no items has no interval")
    rng = np.random.default_rng(SEED)
    means, draws, parts = [], [], {}
    for label in sorted(set(groups)):
        chosen = groups == label
        sums = values[chosen][:, None]
        mine = None if clusters is None else np.asarray(clusters, dtype=object)[chosen]
        sums, counts = _add_up(sums, np.ones_like(sums), mine)
        means.append(sums.sum() / counts.sum())
        draws.append(_draw_few_valued(sums, counts, rng))
        parts[label] = (float(means[-1]), *percentiles(draws[-1])[0])
    return (float(np.mean(means)), *percentiles(np.mean(draws, axis=0))[0]), parts


def group_means(values: np.ndarray, groups: Labels, clusters: Labels, rng: np.random.Generator) -> np.ndarray:
    """Resample clusters within their group; return the mean of the groups' means of each column, ``(RESAMPLES, columns)``.

    Args:
        values: ``(n, columns)`` finite. groups, clusters: ``(n,)`` labels.
    """
    groups, clusters = np.asarray(groups, dtype=object), np.asarray(clusters, dtype=object)
    draws = []
    for label in sorted(set(groups)):
        mine = values[groups == label]
        draws.append(_draw_ratios(*_add_up(mine, np.ones_like(mine), clusters[groups == label]), rng))
    return np.mean(draws, axis=0)


def percentiles(draws: np.ndarray) -> list[tuple[float, float]]:
    """Return (low, high) of each column of ``(resamples, columns)``: the 95% percentile interval, NaN left out."""
    tail = (1 - LEVEL) / 2
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice", RuntimeWarning)  # its interval is NaN, as it should be
        limits = np.nanquantile(draws, [tail, 1 - tail], axis=0)
    return [(float(low), float(high)) for low, high in limits.T]


def resampled_weights(n: int, n_boot: int, rng: np.random.Generator, *, width: int = 0) -> Iterator[np.ndarray]:
    """Draw ``n`` units with replacement ``n_boot`` times; yield how often each was drawn, ``(rows, n)`` at a time.

    Args:
        width: numbers the caller holds a resample, if more than ``n``; bounds the rows of a block.
    """
    block = max(1, BLOCK_BYTES // (8 * max(n, width)))
    for start in range(0, n_boot, block):
        rows = min(block, n_boot - start)
        drawn = rng.integers(0, n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(float)


def _add_up(sums: np.ndarray, counts: np.ndarray, clusters: Labels | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the units that are drawn: each cluster's sums, or the items."""
    if clusters is None:
        return sums, counts
    codes, labels = pd.factorize(np.asarray(clusters, dtype=object))
    totals = np.zeros((2, len(labels), sums.shape[1]))
    for total, part in zip(totals, (sums, counts), strict=True):
        np.add.at(total, codes, part)
    return totals[0], totals[1]


def _draw_ratios(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw units with replacement; return sum over count, ``(RESAMPLES, columns)``."""
    with np.errstate(invalid="ignore"):
        return np.concatenate(
            [(weights @ sums) / (weights @ counts) for weights in resampled_weights(len(sums), RESAMPLES, rng)]
        )


def _draw_few_valued(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As :func:`_draw_ratios`; where few different units exist (right or wrong), how often each is drawn suffices."""
    kinds, number = np.unique(np.hstack([sums, counts]), axis=0, return_counts=True)
    if len(kinds) * FEW_VALUES > len(sums):
        return _draw_ratios(sums, counts, rng)
    weights = rng.multinomial(len(sums), number / len(sums), size=RESAMPLES).astype(float)
    return (weights @ kinds[:, :1]) / (weights @ kinds[:, 1:])
