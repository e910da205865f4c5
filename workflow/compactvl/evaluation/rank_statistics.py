"""Statistics of ranks over many bootstrap resamples at once: a resample is a weight (a count) for every item.

Weights are ``(B, n)`` float. A resample ranks its items as if each were there as often as its weight says, equal values
sharing the mean of their ranks, so nothing is ever copied.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from compactvl.evaluation.statistics import SEED, Labels, resampled_weights

RANK_RESAMPLES = 1000
"""Fewer than for means: every resample is ranked anew."""
ARRAYS = 6
"""Arrays of a block's size that a statistic holds at the same time."""


def weighted_ranks(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mid-ranks ``(B, n)`` of every resample and its sums of ``t³ - t`` over ties of t items, ``(B,)``.

    Args:
        values: ``(n,)`` finite. weights: ``(B, n)``.
    """
    levels, code = np.unique(values, return_inverse=True)
    order = np.argsort(code, kind="stable")
    starts = np.searchsorted(code[order], np.arange(len(levels)))
    size = np.add.reduceat(weights[:, order], starts, axis=1)
    rank = np.cumsum(size, axis=1) - (size - 1) / 2
    return rank[:, code], (size**3 - size).sum(axis=1)


def kruskal_h(values: np.ndarray, groups: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the Kruskal-Wallis H with its tie correction, and ε² = H / (N - 1), both ``(B,)``.

    0 where they are not defined: fewer than two items, one group, or equal values only.

    Args:
        values: ``(n,)`` finite. groups: ``(n,)`` labels. weights: ``(B, n)``.
    """
    code, labels = pd.factorize(groups)
    member = np.eye(len(labels))[code]
    ranks, ties = weighted_ranks(values, weights)
    total = weights.sum(axis=1)
    sizes = weights @ member
    sums = (weights * ranks) @ member
    squares = np.divide(sums**2, sizes, out=np.zeros_like(sums), where=sizes > 0).sum(axis=1)
    cube = total**3 - total
    defined = (cube > ties) & ((sizes > 0).sum(axis=1) > 1)
    h = np.zeros_like(total)
    # 12 / (N (N + 1)) Σ R²/n - 3 (N + 1), divided by 1 - Σ (t³ - t) / (N³ - N).
    np.divide((12 * squares - 3 * total * (total + 1) ** 2) * (total - 1), cube - ties, out=h, where=defined)
    h = np.maximum(h, 0)
    return h, np.divide(h, total - 1, out=np.zeros_like(h), where=defined)


def spearman(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return Spearman's ρ of every resample, ``(B,)``; 0 where x or y is constant.

    Args:
        x, y: ``(n,)`` finite. weights: ``(B, n)``.
    """
    middle = (weights.sum(axis=1, keepdims=True) + 1) / 2
    ranks_x, ranks_y = (weighted_ranks(values, weights)[0] - middle for values in (x, y))
    covariance = (weights * ranks_x * ranks_y).sum(axis=1)
    scale = np.sqrt((weights * ranks_x**2).sum(axis=1) * (weights * ranks_y**2).sum(axis=1))
    return np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 0)


def over_resamples(statistic: Callable[[np.ndarray], np.ndarray], clusters: Labels, n_boot: int) -> np.ndarray:
    """Return ``statistic(weights)`` over ``n_boot`` resamples of whole clusters, joined along the first axis.

    Args:
        statistic: ``(B, n)`` weights → ``(B, ...)``. clusters: ``(n,)`` labels.
    """
    code, labels = pd.factorize(np.asarray(clusters, dtype=object))
    blocks = resampled_weights(len(labels), n_boot, np.random.default_rng(SEED), width=ARRAYS * len(code))
    return np.concatenate([statistic(weights[:, code]) for weights in blocks])
