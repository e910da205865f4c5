"""R@K of two-stage retrieval, with ties counted fairly.

R@K is the share of queries with *any* positive among the first K. Where scores tie, a query counts with the
probability that a random order of the tied items puts a positive in the first K, so a model that gives every pair
the same score is measured at chance, whatever the order of the arrays.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import mean_metrics

DIRECTIONS = ("t2i", "i2t")
LIST_LENGTHS = (1, 5, 10)


def hit_probability(scores: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Return the probability that a positive is among the first ``k`` when ties are broken at random.

    With ``g`` items strictly above the best positive, the first ``k`` hold ``min(k - g, t)`` random members of the ``t``
    items tied with it.

    Args:
        scores: ``(Q, N)`` float, higher is better. relevant: ``(Q, N)`` bool. k: length of the list, at least 1.

    Returns:
        ``(Q,)`` float64 in [0, 1]; 0 where a query has no positive.

    Raises:
        ValueError: a score is NaN, or the shapes differ.
    """
    above, tied, positive, found = _best_positive(scores, relevant)
    return np.where(found, 1.0 - _miss(tied, positive, np.clip(k - above, 0, tied)), 0.0)


def chance_at_k(n_gallery: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Return the hit probability of a random order of the whole gallery, elementwise."""
    gallery, relevant = np.broadcast_arrays(np.asarray(n_gallery), np.asarray(n_relevant))
    return 1.0 - _miss(gallery, relevant, np.minimum(k, gallery))


def _miss(items: np.ndarray, positives: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Probability that none of the p positives is among d drawn of n items: ``C(n - p, d) / C(n, d)``, elementwise."""
    miss = np.ones(items.shape)
    for i in range(int(positives.max(initial=0))):
        factor = np.clip(items - drawn - i, 0, None) / np.maximum(items - i, 1)
        miss *= np.where(i < positives, factor, 1.0)
    return miss


def expected_rank(scores: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """Return the expected rank (from 1) of the best positive under random tie-breaking; NaN without a positive.

    Args:
        scores: ``(Q, N)`` float. relevant: ``(Q, N)`` bool.
    """
    above, tied, positive, found = _best_positive(scores, relevant)
    return np.where(found, above + (tied + 1) / (positive + 1), np.nan)


def _best_positive(scores: np.ndarray, relevant: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each query: items above its best positive, items tied with it, positives among those, any positive."""
    scores, relevant = np.asarray(scores), np.asarray(relevant, dtype=bool)
    if scores.shape != relevant.shape or scores.ndim != 2:
        raise ValueError(f"scores {scores.shape} and relevant {relevant.shape} must be the same (queries, items)")
    if np.isnan(scores).any():
        raise ValueError("a score is NaN: every candidate must be scored before metrics are computed")
    found = relevant.any(axis=1)
    # An index, not a masked maximum: a best positive of -inf stays distinct from a query without positives.
    order = np.where(relevant, scores, -np.inf)
    best = order.max(axis=1, initial=-np.inf, keepdims=True)
    above = (scores > best).sum(axis=1)
    equal = scores == best
    return above, equal.sum(axis=1), (equal & relevant).sum(axis=1), found


def query_hits(predictions: pd.DataFrame, direction: str, pool: int, k: int) -> pd.Series:
    """Return each query's hit probability at ``k`` after the first ``pool`` candidates were sorted by ``scores``.

    Candidates after the pool keep the first stage's order, so with ``k`` ≥ ``pool`` the hit is the first stage's,
    exactly.

    Returns:
        float64 in [0, 1], indexed by query_id.

    Raises:
        ValueError: fewer candidates were kept than ``pool`` or ``k`` needs.
    """
    rows = predictions[predictions["direction"] == direction]
    relevant = np.stack(rows["relevant"].to_list()).astype(bool)
    gallery = int(rows["n_gallery"].iloc[0])
    if relevant.shape[1] < min(max(pool, k), gallery):
        raise ValueError(f"{relevant.shape[1]} candidates were kept, R@{k} of a pool of {pool} needs more")
    if k >= pool:
        hits = relevant[:, :k].any(axis=1).astype(float)
    else:
        hits = hit_probability(np.stack(rows["scores"].to_list())[:, :pool], relevant[:, :pool], k)
    return pd.Series(hits, index=rows["query_id"].to_numpy(), name=f"{direction}_r{k}")


def retrieval_metrics(predictions: pd.DataFrame, pools: Sequence[int] = (10,)) -> list[Metric]:
    """Compute R@1/5/10 of both directions for each pool, with intervals that resample whole images.

    Names are ``t2i_r1`` … ``i2t_r10`` and ``mean_r1`` (both directions' mean); with several pools each has the suffix
    ``@pool<k>``. ``t2i_in_pool`` is the share of queries with a positive in the pool: no order can have a higher R@1.
    The chance level is that of a random order of the whole gallery.

    Args:
        predictions: one row a query (see :func:`compactvl.evaluation.pairs.first_stage_table`).
        pools: numbers of reranked candidates.
    """
    columns: dict[str, np.ndarray] = {}
    chance: dict[str, float] = {}
    for pool in pools:
        suffix = f"@pool{pool}" if len(pools) > 1 else ""
        for direction in DIRECTIONS:
            mine = predictions["direction"] == direction
            for label, k in ({f"r{k}": k for k in LIST_LENGTHS} | {"in_pool": pool}).items():
                name = f"{direction}_{label}{suffix}"
                columns[name] = np.full(len(predictions), np.nan)
                columns[name][mine] = query_hits(predictions, direction, pool, k)
                chance[name] = chance_at_k(predictions["n_gallery"][mine], predictions["n_relevant"][mine], k).mean()
        # Both directions weigh the same, however many captions an image has.
        both = [f"{direction}_r1{suffix}" for direction in DIRECTIONS]
        columns[f"mean_r1{suffix}"] = sum(
            np.nan_to_num(columns[name]) * len(predictions) / (2 * np.isfinite(columns[name]).sum()) for name in both
        )
        chance[f"mean_r1{suffix}"] = np.mean([chance[name] for name in both])
    return mean_metrics(columns, predictions["cluster_id"].to_numpy(dtype=object), chance)
