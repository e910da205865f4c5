"""Score (image, caption) pairs with a joint model, without padding."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from compactvl.nn.compute import autocast
from compactvl.studies.edje.model import JointModel
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.vision.store import TokenStore

CHUNK = 96
"""Pairs that are scored at once."""


def match_pairs(
    model: JointModel,
    vision: Tensor,
    captions: TokenBatch,
    images: Tensor,
    texts: Tensor,
    sep: int,
    dropout: float = 0.0,
) -> Tensor:
    """ITM logits of pairs (images[p], texts[p]), float32 (P,), differentiable.

    Args:
        vision: stored tokens of the images (I, m, width).
        captions: tokenised captions (C, L).
        images: (P,) int64 into ``vision``.
        texts: (P,) int64 into ``captions``.
        sep: id of [SEP].
    """
    lengths = captions.lengths[texts].cpu().numpy()
    chunks = [torch.from_numpy(rows).to(texts.device) for rows in batches_by_length(lengths, rows=CHUNK)]
    words, end = model.word_vectors(captions, sep)

    def match(rows: Tensor) -> Tensor:
        return model.match(vision[images[rows]], captions.pick(texts[rows]), words[texts[rows]], end, dropout)

    if model.checkpoint_chunks and torch.is_grad_enabled():
        parts = [checkpoint(match, rows, use_reentrant=False) for rows in chunks]
    else:
        parts = [match(rows) for rows in chunks]
    return torch.cat(parts)[torch.cat(chunks).argsort()]


@torch.inference_mode()
def compress_all(model: JointModel, store: TokenStore, image_ids: Sequence[str], batch: int = 128) -> Tensor:
    """Compressed tokens of images, float32 (N, m, width) on the CPU."""
    parts = []
    for start in range(0, len(image_ids), batch):
        patches = torch.from_numpy(store.read(image_ids[start : start + batch])).to(model.device).float()
        with autocast(model.device, model.settings.precision):
            parts.append(model.compress(patches).float().cpu())
    return torch.cat(parts)


@torch.inference_mode()
def score_pairs(
    model: JointModel, vision: Tensor, captions: TokenBatch, images: np.ndarray, texts: np.ndarray, sep: int
) -> np.ndarray:
    """ITM logits of many pairs for evaluation: float32 (P,). See :func:`match_pairs`."""
    device = model.device
    pair = (torch.from_numpy(images).to(device), torch.from_numpy(texts).to(device))
    with autocast(device, model.settings.precision):
        return match_pairs(model, vision.to(device), captions.to(device), *pair, sep).cpu().numpy()
