"""What each encoder of a pool is worth, from the score of every subset (paper, its definitions).

A table of scores is an array (..., 2ⁿ): the last axis is over subsets as bit masks, encoder i is in a subset if bit i is set.
0 is the blind model, 2ⁿ − 1 the whole pool. Leading axes are resamples, seeds, areas, whatever there is; a subset that was not
trained is NaN.
"""

import math
from collections.abc import Sequence

import numpy as np


def players(scores: np.ndarray) -> int:
    """Return n, the number of encoders.

    Raises:
        ValueError: the last axis has no power of two.
    """
    n = scores.shape[-1].bit_length() - 1
    if scores.shape[-1] != 1 << n:
        raise ValueError(f"expected the score of every subset of n encoders, got {scores.shape[-1]} scores")
    return n


def mask_of(subset: Sequence[str], pool: Sequence[str]) -> int:
    """Return a subset's place in a table of scores."""
    return sum(1 << pool.index(name) for name in subset)


def subset_of(mask: int, pool: Sequence[str]) -> list[str]:
    """Return the encoders of a place in a table of scores, in the pool's order."""
    return [name for i, name in enumerate(pool) if mask >> i & 1]


def capacity(scores: np.ndarray) -> np.ndarray:
    """What each encoder scores alone: (..., n)."""
    return scores[..., [1 << i for i in range(players(scores))]]


def necessity(scores: np.ndarray) -> np.ndarray:
    """What the whole pool loses without each: (..., n). Of masked scores it is the masking necessity."""
    full = scores.shape[-1] - 1
    return scores[..., full, None] - scores[..., [full ^ 1 << i for i in range(players(scores))]]


def utilisation(scores: np.ndarray) -> np.ndarray:
    """Conditional utilisation rate: the necessity as a share of the whole pool's score (arXiv 2507.03262), (..., n).

    NaN where the whole pool scores nothing.
    """
    whole = scores[..., -1, None]
    return necessity(scores) / np.where(whole == 0, np.nan, whole)


def information_gap(scores: np.ndarray) -> np.ndarray:
    """Largest minus smallest utilisation rate: (...)."""
    rates = utilisation(scores)
    return rates.max(-1) - rates.min(-1)


def shapley(scores: np.ndarray) -> np.ndarray:
    """Exact Shapley values, (..., n): the mean gain of adding an encoder over all orders; they sum to S(E) − S(∅)."""
    n = players(scores)
    masks = np.arange(1 << n)
    sizes = np.array([mask.bit_count() for mask in masks.tolist()])
    weight = np.array([math.factorial(k) * math.factorial(n - k - 1) for k in range(n)]) / math.factorial(n)
    values = []
    for i in range(n):
        without = masks[(masks >> i & 1) == 0]
        gains = scores[..., without | 1 << i] - scores[..., without]
        values.append((gains * weight[sizes[without]]).sum(-1))
    return np.stack(values, -1)


def synergy(scores: np.ndarray) -> np.ndarray:
    """What two encoders score beyond the better one alone, (..., n, n), symmetric; NaN on the diagonal."""
    n, alone = players(scores), capacity(scores)
    found = np.full((*scores.shape[:-1], n, n), np.nan)
    for i in range(n):
        for j in range(n):
            if i != j:
                found[..., i, j] = scores[..., 1 << i | 1 << j] - np.maximum(alone[..., i], alone[..., j])
    return found


def best_of_size(scores: np.ndarray) -> np.ndarray:
    """The best subset of each size 1 … n by its score, as masks: (..., n) int."""
    n = players(scores)
    sizes = np.array([mask.bit_count() for mask in range(1 << n)])
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    return np.stack([np.where(sizes == k, ranked, -np.inf).argmax(-1) for k in range(1, n + 1)], -1)


def kendall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Kendall's τ-b of two orders along the last axis: (...). NaN where one ties throughout."""
    upper = np.triu_indices(x.shape[-1], 1)
    signs = [np.sign(one[..., :, None] - one[..., None, :])[..., upper[0], upper[1]] for one in (x, y)]
    with np.errstate(invalid="ignore"):
        return (signs[0] * signs[1]).sum(-1) / np.sqrt((signs[0] ** 2).sum(-1) * (signs[1] ** 2).sum(-1))


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's ρ of two orders along the last axis, ties at their mean rank: (...)."""
    ranks = [_ranks(one) for one in (x, y)]
    centred = [one - one.mean(-1, keepdims=True) for one in ranks]
    with np.errstate(invalid="ignore"):
        norms = np.sqrt((centred[0] ** 2).sum(-1) * (centred[1] ** 2).sum(-1))
        return (centred[0] * centred[1]).sum(-1) / norms


def _ranks(x: np.ndarray) -> np.ndarray:
    return (x[..., None] > x[..., None, :]).sum(-1) + ((x[..., None] == x[..., None, :]).sum(-1) - 1) / 2
