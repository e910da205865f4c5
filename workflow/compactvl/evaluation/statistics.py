"""Intervals by the bootstrap: items are resampled, or whole clusters where items depend on each other."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

RESAMPLES = 10_000
LEVEL = 0.95
BLOCK_BYTES = 64 << 20
FEW_VALUES = 8
"""A multinomial draw is the faster one when items are so many times more than different values."""
Interval = tuple[float, float, float]
"""(mean, low, high)."""


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return (mean, low, high): the percentile bootstrap's 95% interval of a mean.

    Args:
        values: ``(n,)`` one value an item.
        clusters: ``(n,)`` label of each item's cluster; clusters are drawn, with all their items. ``None``: every
            item is its own.
        n_boot: number of resamples. seed: of the draws; equal seeds give equal intervals.
    """
    return bootstrap_means(np.asarray(values, dtype=float)[:, None], clusters, n_boot=n_boot, seed=seed)[0]


def paired_bootstrap(
    a: Sequence[float] | np.ndarray,
    b: Sequence[float] | np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Return (mean, low, high) of ``a - b`` over the same items: what two systems' difference is worth.

    Raises:
        ValueError: ``a`` and ``b`` differ in length.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"paired values differ in shape: {a.shape} and {b.shape}")
    return bootstrap_interval(a - b, clusters, n_boot=n_boot, seed=seed)


def bootstrap_means(
    values: np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Return (mean, low, high) of each column, all columns over the same resamples.

    Args:
        values: ``(n, columns)`` float; NaN marks an item that does not count for a column.
        clusters: ``(n,)`` labels, see :func:`bootstrap_interval`.

    Raises:
        ValueError: there is no item, or a column has no value.
    """
    values = np.asarray(values, dtype=float)
    counted = np.isfinite(values)
    if not len(values) or not counted.any(axis=0).all():
        raise ValueError("a mean of no items has no interval")
    sums, counts = np.where(counted, values, 0.0), counted.astype(float)
    return bootstrap_ratios(sums, counts, clusters, n_boot=n_boot, seed=seed)


def bootstrap_ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """Return (ratio, low, high) of each column's sum over sum, e.g. log-probability a token of whole texts.

    Args:
        numerators, denominators: ``(n, columns)`` float. clusters: ``(n,)`` labels, see :func:`bootstrap_interval`.
    """
    estimates, draws = resampled_ratios(numerators, denominators, clusters, n_boot=n_boot, seed=seed)
    return [(float(x), *tails) for x, tails in zip(estimates, percentiles(draws), strict=True)]


def resampled_ratios(
    numerators: np.ndarray,
    denominators: np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ratios ``(columns,)`` and their resamples ``(n_boot, columns)``, for statistics made of several.

    A resample whose denominator is 0 gives NaN. Arguments: see :func:`bootstrap_ratios`.
    """
    sums, counts = np.asarray(numerators, dtype=float), np.asarray(denominators, dtype=float)
    estimates = sums.sum(axis=0) / counts.sum(axis=0)
    if clusters is not None:
        codes, labels = pd.factorize(np.asarray(clusters, dtype=object))
        sums, counts = (_add_up(part, codes, len(labels)) for part in (sums, counts))
    return estimates, _draw_ratios(sums, counts, n_boot, np.random.default_rng(seed))


def stratified_bootstrap(
    values: Sequence[float] | np.ndarray,
    groups: Sequence[str] | np.ndarray,
    clusters: Sequence[str] | np.ndarray | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> tuple[Interval, dict[str, Interval]]:
    """Return the interval of the mean of the groups' means (a macro mean), and each group's own, by sorted label.

    Items (or clusters) are resampled within their group, since the groups themselves are given.

    Args:
        values: ``(n,)`` finite. groups: ``(n,)`` labels. clusters: ``(n,)`` labels, see :func:`bootstrap_interval`;
            a cluster in two groups is resampled in each.

    Raises:
        ValueError: there is no item.
    """
    values, groups = np.asarray(values, dtype=float), np.asarray(groups, dtype=object)
    if not len(values):
        raise ValueError("a mean of no items has no interval")
    rng = np.random.default_rng(seed)
    means, draws, parts = [], [], {}
    for label in sorted(set(groups)):
        chosen = groups == label
        sums = values[chosen][:, None]
        counts = np.ones_like(sums)
        if clusters is not None:
            codes, labels = pd.factorize(np.asarray(clusters, dtype=object)[chosen])
            sums, counts = (_add_up(part, codes, len(labels)) for part in (sums, counts))
        means.append(sums.sum() / counts.sum())
        draws.append(_draw_few_valued(sums, counts, n_boot, rng))
        parts[label] = (float(means[-1]), *percentiles(draws[-1])[0])
    macro = np.mean(draws, axis=0)
    return (float(np.mean(means)), *percentiles(macro)[0]), parts


def percentiles(draws: np.ndarray) -> list[tuple[float, float]]:
    """Return (low, high) of each column of ``(n_boot, columns)``: the 95% percentile interval, NaN left out."""
    tail = (1 - LEVEL) / 2
    return [(float(low), float(high)) for low, high in np.nanquantile(draws, [tail, 1 - tail], axis=0).T]


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


def _add_up(values: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    total = np.zeros((n, values.shape[1]))
    np.add.at(total, codes, values)
    return total


def _draw_ratios(sums: np.ndarray, counts: np.ndarray, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """Draw units with replacement ``n_boot`` times; return sum over count, ``(n_boot, columns)``."""
    with np.errstate(invalid="ignore"):
        return np.concatenate(
            [(weights @ sums) / (weights @ counts) for weights in resampled_weights(len(sums), n_boot, rng)]
        )


def _draw_few_valued(sums: np.ndarray, counts: np.ndarray, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """As :func:`_draw_ratios`; where few different units exist (right or wrong), how often each is drawn suffices."""
    kinds, number = np.unique(np.hstack([sums, counts]), axis=0, return_counts=True)
    if len(kinds) * FEW_VALUES > len(sums):
        return _draw_ratios(sums, counts, n_boot, rng)
    weights = rng.multinomial(len(sums), number / len(sums), size=n_boot).astype(float)
    return (weights @ kinds[:, :1]) / (weights @ kinds[:, 1:])
