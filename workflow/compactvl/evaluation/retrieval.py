"""Two-stage retrieval: candidates by a first stage, order by a second, R@K with ties counted fairly.

R@K is the share of queries with *any* positive among the first K. Where scores tie, a query counts with the
probability that a random order of the tied items puts a positive in the first K, so a model that gives every pair
the same score is measured at chance, whatever the order of the arrays.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import bootstrap_means

DIRECTIONS = ("t2i", "i2t")
LIST_LENGTHS = (1, 5, 10)
ROWS_PER_BLOCK = 256


def hit_probability(scores: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """Return the probability that a positive is among the first ``k`` when ties are broken at random.

    With ``g`` items strictly above the best positive, ``t`` items tied with it and ``p`` positives among those, the
    first ``k`` hold ``d = min(k - g, t)`` random members of the tie, and the hit's probability is hypergeometric:
    ``1 - C(t - p, d) / C(t, d)``.

    Args:
        scores: ``(Q, N)`` float, higher is better.
        relevant: ``(Q, N)`` bool.
        k: length of the list, at least 1.

    Returns:
        ``(Q,)`` float64 in [0, 1]; 0 where a query has no positive.

    Raises:
        ValueError: a score is NaN, or the shapes differ.
    """
    above, tied, positive, found = _best_positive(scores, relevant)
    drawn = np.clip(k - above, 0, tied)
    miss = np.ones(len(above))
    for i in range(int(positive.max(initial=0))):
        factor = np.clip(tied - drawn - i, 0, None) / np.maximum(tied - i, 1)
        miss *= np.where(i < positive, factor, 1.0)
    return np.where(found, 1.0 - miss, 0.0)


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


def recall_at_k(scores: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Return R@K of a whole score matrix ``(queries, gallery)``: the mean of :func:`hit_probability`."""
    return float(hit_probability(scores, relevant, k).mean())


def chance_at_k(n_gallery: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Return the hit probability of a random order: ``1 - C(N - p, k) / C(N, k)``, elementwise."""
    gallery, relevant = np.broadcast_arrays(np.asarray(n_gallery), np.asarray(n_relevant))
    drawn = np.minimum(k, gallery)
    miss = np.ones(gallery.shape)
    for i in range(int(relevant.max(initial=0))):
        miss *= np.where(i < relevant, np.clip(gallery - drawn - i, 0, None) / np.maximum(gallery - i, 1), 1.0)
    return 1.0 - miss


def build_predictions(
    first_scores: np.ndarray,
    image_ids: Sequence[str],
    text_ids: Sequence[str],
    text_images: Sequence[str],
    *,
    max_pool: int,
    queries_per_image: int | None = None,
    positives: np.ndarray | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Build the predictions table of both directions from a first stage's score matrix.

    Candidates are the ``max_pool`` best by the first stage; ties fall in one random order fixed by ``seed``, never in
    array order. The column ``scores`` starts equal to ``first_scores``, which is final for an embedding model; a
    reranker replaces it with :func:`fill_scores`.

    Args:
        first_scores: ``(images, texts)`` float32 similarities.
        image_ids: id of each row. text_ids: id of each column. text_images: id of the image each text describes.
        max_pool: candidates kept a query (all, if the gallery is smaller).
        queries_per_image: the first so many texts of an image are text-to-image queries; ``None``: all. Every text
            is a candidate of image-to-text in any case.
        positives: ``(images, texts)`` bool; default: a text is positive for its own image only.
        seed: of the tie-breaking order.

    Returns:
        One row a query: direction, query_id, cluster_id (the query's image: the captions of one image are not
        independent), candidates, first_scores, scores, relevant (lists in first-stage order), first_rank, n_gallery,
        n_relevant.
    """
    images, texts, owners = (np.asarray(ids, dtype=object) for ids in (image_ids, text_ids, text_images))
    if first_scores.shape != (len(images), len(texts)) or len(owners) != len(texts):
        raise ValueError(f"first_scores is {first_scores.shape}, expected ({len(images)}, {len(texts)})")
    for name, ids in (("image", images), ("text", texts)):
        if len(set(ids)) != len(ids):
            raise ValueError(f"{name} ids must be unique")
    if positives is None:
        row_of = {image: row for row, image in enumerate(images)}
        positives = np.zeros(first_scores.shape, dtype=bool)
        positives[[row_of[owner] for owner in owners], np.arange(len(texts))] = True
    rng = np.random.default_rng(seed)
    queries = np.arange(len(texts))
    if queries_per_image is not None:
        queries = queries[pd.Series(owners).groupby(owners).cumcount().to_numpy() < queries_per_image]
    t2i = _one_direction(first_scores.T, positives.T, queries, images, max_pool, rng)
    t2i.insert(0, "direction", "t2i")
    t2i.insert(1, "query_id", texts[queries])
    t2i.insert(2, "cluster_id", owners[queries])
    i2t = _one_direction(first_scores, positives, np.arange(len(images)), texts, max_pool, rng)
    i2t.insert(0, "direction", "i2t")
    i2t.insert(1, "query_id", images)
    i2t.insert(2, "cluster_id", images)
    return pd.concat([t2i, i2t], ignore_index=True)


def _one_direction(
    scores: np.ndarray,
    positives: np.ndarray,
    rows: np.ndarray,
    gallery: np.ndarray,
    max_pool: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    shuffle = rng.permutation(len(gallery))
    keep = min(max_pool, len(gallery))
    parts = []
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        block = rows[start : start + ROWS_PER_BLOCK]
        block_scores, block_positives = np.asarray(scores[block], dtype=np.float32), positives[block]
        order = np.argsort(-block_scores[:, shuffle], axis=1, kind="stable")[:, :keep]
        top = shuffle[order]
        kept = np.take_along_axis(block_scores, top, axis=1)
        parts.append(
            pd.DataFrame(
                {
                    "candidates": list(gallery[top]),
                    "first_scores": list(kept),
                    "scores": list(kept.copy()),
                    "relevant": list(np.take_along_axis(block_positives, top, axis=1)),
                    "first_rank": expected_rank(block_scores, block_positives),
                    "n_gallery": len(gallery),
                    "n_relevant": block_positives.sum(axis=1),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def needed_pairs(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return every (image_id, text_id) pair that must be scored, once each; an image's pairs are adjacent."""
    pairs = _pairs_of(predictions).drop_duplicates()
    return pairs.sort_values(["image_id", "text_id"], ignore_index=True)


def fill_scores(predictions: pd.DataFrame, pairs: pd.DataFrame, scores: np.ndarray) -> pd.DataFrame:
    """Return a copy of ``predictions`` whose ``scores`` are the model's own.

    Args:
        predictions: from :func:`build_predictions`.
        pairs: from :func:`needed_pairs`. scores: ``(len(pairs),)`` float, one a pair.

    Raises:
        ValueError: a score is missing or NaN.
    """
    scores = np.asarray(scores, dtype=np.float32)
    if scores.shape != (len(pairs),) or np.isnan(scores).any():
        raise ValueError(f"expected {len(pairs)} scores without NaN, got shape {scores.shape}")
    index = pd.MultiIndex.from_frame(pairs[["image_id", "text_id"]])
    position = index.get_indexer(pd.MultiIndex.from_frame(_pairs_of(predictions)))
    if (position < 0).any():
        raise ValueError("pairs lacks a pair of the predictions table")
    lengths = predictions["candidates"].map(len).to_numpy()
    filled = predictions.copy()
    filled["scores"] = np.split(scores[position], np.cumsum(lengths)[:-1])
    return filled


def _pairs_of(predictions: pd.DataFrame) -> pd.DataFrame:
    """Every (query, candidate) as (image_id, text_id), in the table's order, repeats included."""
    lengths = predictions["candidates"].map(len).to_numpy()
    query = np.repeat(predictions["query_id"].to_numpy(dtype=object), lengths)
    candidate = np.concatenate([np.asarray(c, dtype=object) for c in predictions["candidates"]])
    by_text = np.repeat((predictions["direction"] == "t2i").to_numpy(), lengths)
    return pd.DataFrame(
        {"image_id": np.where(by_text, candidate, query), "text_id": np.where(by_text, query, candidate)}
    )


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


def retrieval_metrics(predictions: pd.DataFrame, pools: Sequence[int] = (10,), *, seed: int = 0) -> list[Metric]:
    """Compute R@1/5/10 of both directions for each pool, with intervals that resample whole images.

    Names are ``t2i_r1`` … ``i2t_r10`` and ``mean_r1`` (both directions' mean); with several pools each has the suffix
    ``@pool<k>``. ``t2i_in_pool`` is the share of queries with a positive in the pool: no order can have a higher R@1.
    The chance level is that of a random order of the whole gallery.

    Args:
        predictions: one row a query (see :func:`build_predictions`). pools: numbers of reranked candidates.
        seed: of the bootstrap.
    """
    columns: dict[str, np.ndarray] = {}
    chance: dict[str, float] = {}
    rows = {direction: predictions[predictions["direction"] == direction] for direction in DIRECTIONS}
    counts = {direction: len(part) for direction, part in rows.items()}
    clusters = np.concatenate([rows[direction]["cluster_id"].to_numpy(dtype=object) for direction in DIRECTIONS])
    for pool in pools:
        suffix = f"@pool{pool}" if len(pools) > 1 else ""
        for direction, part in rows.items():
            wanted = {f"r{k}": k for k in LIST_LENGTHS} | {"in_pool": pool}
            for label, k in wanted.items():
                name = f"{direction}_{label}{suffix}"
                hits = query_hits(predictions, direction, pool, k).to_numpy()
                columns[name] = _placed(hits, direction, counts)
                chance[name] = float(chance_at_k(part["n_gallery"], part["n_relevant"], k).mean())
        both = [f"{direction}_r1{suffix}" for direction in DIRECTIONS]
        # Both directions weigh the same, however many captions an image has.
        total = sum(counts.values())
        columns[f"mean_r1{suffix}"] = sum(
            np.nan_to_num(columns[name]) * total / (2 * counts[direction])
            for name, direction in zip(both, DIRECTIONS, strict=True)
        )
        chance[f"mean_r1{suffix}"] = float(np.mean([chance[name] for name in both]))
    estimates = bootstrap_means(np.stack(list(columns.values()), axis=1), clusters, seed=seed)
    return [
        Metric(name, *estimate, n=int(np.isfinite(columns[name]).sum()), chance=chance[name], higher_is_better=True)
        for name, estimate in zip(columns, estimates, strict=True)
    ]


def _placed(hits: np.ndarray, direction: str, counts: dict[str, int]) -> np.ndarray:
    """Put one direction's values in a column over the queries of both; NaN (not counted) elsewhere."""
    column = np.full(sum(counts.values()), np.nan)
    start = 0 if direction == DIRECTIONS[0] else counts[DIRECTIONS[0]]
    column[start : start + len(hits)] = hits
    return column
