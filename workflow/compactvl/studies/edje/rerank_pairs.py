"""Second-stage scores of the pairs a predictions table needs."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.evaluation.retrieval import build_predictions, fill_scores, needed_pairs
from compactvl.studies.edje.model import JointModel
from compactvl.studies.edje.pairs import Pairs
from compactvl.studies.edje.scoring import compress_all, score_pairs
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.codec import decode, encode
from compactvl.vision.store import TokenStore


def first_stage_table(matrix: np.ndarray, pairs: Pairs, max_pool: int, queries_per_image: int | None) -> pd.DataFrame:
    """Predictions of a first stage alone; caption ids are their index as text."""
    text_ids = [str(index) for index in range(len(pairs.captions))]
    owners = [pairs.image_ids[index] for index in pairs.owner]
    return build_predictions(
        matrix, pairs.image_ids, text_ids, owners, max_pool=max_pool, queries_per_image=queries_per_image
    )


def rerank(
    table: pd.DataFrame,
    pairs: Pairs,
    model: JointModel,
    store: TokenStore,
    tokenizer: WordPiece,
    *,
    precision: str,
    storage: str = "fp16",
    shift: int = 0,
) -> pd.DataFrame:
    """Fill a first stage's table with a joint model's logits.

    Args:
        table: from :func:`first_stage_table`.
        storage: number format the compressed tokens go through, as they would on disk.
        shift: give every image the tokens of the image so many places further (a negative control).
    """
    needed = needed_pairs(table)
    row = {image_id: index for index, image_id in enumerate(pairs.image_ids)}
    images = needed["image_id"].map(row).to_numpy(np.int64)
    texts = needed["text_id"].to_numpy(dtype=np.int64)
    vision = through_storage(compress_all(model, store, pairs.image_ids, precision), storage)
    captions = TokenBatch.of(tokenizer.encode(pairs.captions, model.longest_caption))
    images = (images + shift) % len(pairs.image_ids)
    scores = score_pairs(model, vision, captions, images, texts, tokenizer.sep, precision)
    return fill_scores(table, needed, scores)


def through_storage(vision: Tensor, storage: str) -> Tensor:
    """Compressed tokens as they come back from a store of that number format: float32 tensor in, float32 out."""
    return torch.from_numpy(decode(*encode(vision.numpy(), storage), storage)).float()
