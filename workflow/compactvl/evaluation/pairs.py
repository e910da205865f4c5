"""The driver of the ability ``pairs``: tables of candidates and of Winoground's items, filled with a model's scores."""

import numpy as np
import pandas as pd

from compactvl.data.pairs import Pairs
from compactvl.evaluation.abilities import PairScorer
from compactvl.evaluation.results import Metric
from compactvl.evaluation.retrieval import expected_rank

ROWS_PER_BLOCK = 256


def first_stage_table(
    matrix: np.ndarray, pairs: Pairs, max_pool: int, queries_per_image: int | None = None
) -> pd.DataFrame:
    """Return the candidates of both directions: the ``max_pool`` best by a first stage's similarity.

    Ties fall in one random order, never in array order. The column ``scores`` starts equal to ``first_scores``, which is
    final for an embedding model; :func:`rescored` replaces it with a reranker's.

    Args:
        matrix: ``(images, captions)`` float32 similarities. max_pool: all, if the gallery is smaller.
        queries_per_image: the first so many captions of an image are text-to-image queries; ``None``: all. Every caption
            is a candidate of image-to-text in any case.

    Returns:
        One row a query: direction, query_id, cluster_id (the query's image: the captions of one image are not
        independent), candidates, first_scores, scores, relevant (lists in first-stage order), first_rank, n_gallery,
        n_relevant. A caption's id is its index as text.
    """
    images, captions = np.array(pairs.image_ids, dtype=object), np.arange(len(pairs.captions))
    if matrix.shape != (len(images), len(captions)):
        raise ValueError(f"the similarity is {matrix.shape}, expected ({len(images)}, {len(captions)})")
    texts, positives = captions.astype(str).astype(object), pairs.owner == np.arange(len(images))[:, None]
    if queries_per_image is not None:
        captions = captions[pd.Series(pairs.owner).groupby(pairs.owner).cumcount() < queries_per_image]
    rng, parts = np.random.default_rng(0), []
    for direction, scores, relevant, rows, queries, clusters, gallery in (
        ("t2i", matrix.T, positives.T, captions, texts, images[pairs.owner], images),
        ("i2t", matrix, positives, np.arange(len(images)), images, images, texts),
    ):
        shuffle = rng.permutation(len(gallery))
        for start in range(0, len(rows), ROWS_PER_BLOCK):
            block = rows[start : start + ROWS_PER_BLOCK]
            block_scores, block_relevant = np.asarray(scores[block], dtype=np.float32), relevant[block]
            top = shuffle[np.argsort(-block_scores[:, shuffle], axis=1, kind="stable")[:, :max_pool]]
            kept = list(np.take_along_axis(block_scores, top, axis=1))
            parts.append(
                pd.DataFrame(
                    {
                        "direction": direction,
                        "query_id": queries[block],
                        "cluster_id": clusters[block],
                        "candidates": list(gallery[top]),
                        "first_scores": kept,
                        "scores": kept,
                        "relevant": list(np.take_along_axis(block_relevant, top, axis=1)),
                        "first_rank": expected_rank(block_scores, block_relevant),
                        "n_gallery": len(gallery),
                        "n_relevant": block_relevant.sum(axis=1),
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def rescored(table: pd.DataFrame, pairs: Pairs, model: PairScorer) -> pd.DataFrame:
    """Return a table of :func:`first_stage_table` with the model's own score of every candidate.

    A pair is scored once, whatever the directions it is in, and an image's pairs come one after the other.

    Raises:
        ValueError: the model gives a NaN, or not one score a pair.
    """
    lengths = table["candidates"].map(len)
    query, by_text = (column.repeat(lengths) for column in (table["query_id"], table["direction"] == "t2i"))
    candidate = np.concatenate(table["candidates"].to_list())
    every = pd.DataFrame({"image": query.where(~by_text, candidate), "text": query.where(by_text, candidate)})
    needed = every.drop_duplicates().sort_values(["image", "text"], ignore_index=True)
    row = {image_id: index for index, image_id in enumerate(pairs.image_ids)}
    images = needed["image"].map(row).to_numpy(np.int64, copy=True)
    texts = needed["text"].to_numpy(np.int64, copy=True)
    scores = np.asarray(model.score_pairs(pairs.image_ids, pairs.captions, images, texts), dtype=np.float32)
    if scores.shape != (len(needed),) or np.isnan(scores).any():
        raise ValueError(f"expected {len(needed)} scores without NaN, got shape {scores.shape}")
    scores = every.merge(needed.assign(score=scores), how="left")["score"].to_numpy()
    return table.assign(scores=np.split(scores, np.cumsum(lengths)[:-1]))


def with_captions_from(first: int, table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`first_stage_table` whose captions are numbered from ``first`` on."""
    by_text = table["direction"] == "t2i"
    later = table.copy()
    later.loc[by_text, "query_id"] = (table.loc[by_text, "query_id"].astype(int) + first).astype(str)
    moved = [(ids.astype(int) + first).astype(str).astype(object) for ids in table.loc[~by_text, "candidates"]]
    later.loc[~by_text, "candidates"] = pd.Series(moved, index=table.index[~by_text], dtype=object)
    return later


def winoground_table(model: PairScorer, items: pd.DataFrame) -> pd.DataFrame:
    """Return the scores ``s<caption><image>`` of both captions with both images, one row an item.

    Args:
        items: item_id, kind, image_0, image_1, caption_0, caption_1.
    """
    (images, image_ids), (texts, captions) = (
        pd.factorize(items[columns].to_numpy(dtype=object).T.ravel(), sort=True)
        for columns in (["image_0", "image_1"], ["caption_0", "caption_1"])
    )
    images, texts = images.reshape(2, -1), texts.reshape(2, -1)
    corners = [(c, i) for c in (0, 1) for i in (0, 1)]
    scores = model.score_pairs(
        list(image_ids),
        list(captions),
        np.concatenate([images[i] for _, i in corners]),
        np.concatenate([texts[c] for c, _ in corners]),
    )
    columns = {f"s{c}{i}": part for (c, i), part in zip(corners, np.split(scores, 4), strict=True)}
    return items[["item_id", "kind"]].assign(**columns)


def size_metrics(model: PairScorer) -> list[Metric]:
    """Return ``kb_per_image`` where a model stores tokens."""
    size = model.kilobytes
    return [] if size is None else [Metric("kb_per_image", size, size, size, 1, None, False)]
