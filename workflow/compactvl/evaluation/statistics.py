"""Intervals by the bootstrap: items are resampled, or whole clusters where items depend on each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

RESAMPLES = 10_000
LEVEL = 0.95
BLOCK_BYTES = 64 << 20
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
    means = sums.sum(axis=0) / counts.sum(axis=0)
    if clusters is not None:
        codes, labels = pd.factorize(np.asarray(clusters, dtype=object))
        sums, counts = (_add_up(part, codes, len(labels)) for part in (sums, counts))
    tails = _resampled_tails(sums, counts, n_boot, np.random.default_rng(seed))
    return [(float(mean), float(low), float(high)) for mean, (low, high) in zip(means, tails, strict=True)]


def _add_up(values: np.ndarray, codes: np.ndarray, n: int) -> np.ndarray:
    total = np.zeros((n, values.shape[1]))
    np.add.at(total, codes, values)
    return total


def _resampled_tails(sums: np.ndarray, counts: np.ndarray, n_boot: int, rng: np.random.Generator) -> np.ndarray:
    """Draw units with replacement ``n_boot`` times; return the ``(columns, 2)`` percentiles of sum over count."""
    n = len(sums)
    block = max(1, BLOCK_BYTES // (8 * n))
    ratios = []
    for start in range(0, n_boot, block):
        rows = min(block, n_boot - start)
        drawn = rng.integers(0, n, size=(rows, n))
        drawn += np.arange(rows)[:, None] * n
        weights = np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(float)
        with np.errstate(invalid="ignore"):
            ratios.append((weights @ sums) / (weights @ counts))
    tail = (1 - LEVEL) / 2
    return np.nanquantile(np.concatenate(ratios), [tail, 1 - tail], axis=0).T
