"""The driver of the ability ``pairs``: tables of candidates and of Winoground's items, filled with a model's scores."""

import numpy as np
import pandas as pd

from compactvl.data.pairs import Pairs
from compactvl.evaluation.abilities import PairScorer
from compactvl.evaluation.results import Metric
from compactvl.evaluation.retrieval import build_predictions, fill_scores, needed_pairs

CAPTION_COLUMNS, IMAGE_COLUMNS = ("caption_0", "caption_1"), ("image_0", "image_1")


def first_stage_table(matrix: np.ndarray, pairs: Pairs, max_pool: int, queries_per_image: int | None) -> pd.DataFrame:
    """Return the predictions of a similarity (images, captions) alone; caption ids are their index as text."""
    text_ids = [str(index) for index in range(len(pairs.captions))]
    owners = [pairs.image_ids[index] for index in pairs.owner]
    return build_predictions(
        matrix, pairs.image_ids, text_ids, owners, max_pool=max_pool, queries_per_image=queries_per_image
    )


def rescored(table: pd.DataFrame, pairs: Pairs, model: PairScorer) -> pd.DataFrame:
    """Return a table of :func:`first_stage_table` with the model's own score of every candidate."""
    needed = needed_pairs(table)
    row = {image_id: index for index, image_id in enumerate(pairs.image_ids)}
    images = needed["image_id"].map(row).to_numpy(np.int64, copy=True)
    texts = needed["text_id"].to_numpy(dtype=np.int64, copy=True)
    return fill_scores(table, needed, model.score_pairs(pairs.image_ids, pairs.captions, images, texts))


def winoground_table(model: PairScorer, items: pd.DataFrame) -> pd.DataFrame:
    """Return the scores ``s<caption><image>`` of both captions with both images, one row an item.

    Args:
        items: item_id, kind, image_0, image_1, caption_0, caption_1.
    """
    image_ids = sorted({i for column in IMAGE_COLUMNS for i in items[column]})
    captions = sorted({t for column in CAPTION_COLUMNS for t in items[column]})
    image_row = {image_id: row for row, image_id in enumerate(image_ids)}
    text_row = {text: row for row, text in enumerate(captions)}
    images = np.stack([items[column].map(image_row).to_numpy(np.int64) for column in IMAGE_COLUMNS])
    texts = np.stack([items[column].map(text_row).to_numpy(np.int64) for column in CAPTION_COLUMNS])
    corners = [(c, i) for c in (0, 1) for i in (0, 1)]
    scores = model.score_pairs(
        image_ids,
        captions,
        np.concatenate([images[i] for _, i in corners]),
        np.concatenate([texts[c] for c, _ in corners]),
    )
    columns = {f"s{c}{i}": part for (c, i), part in zip(corners, np.split(scores, 4), strict=True)}
    return items[["item_id", "kind"]].assign(**columns)


def size_metrics(model: PairScorer) -> list[Metric]:
    """Return ``kb_per_image`` where a model stores tokens."""
    size = model.kilobytes
    return [] if size is None else [Metric("kb_per_image", size, size, size, 1, None, False)]
