"""Score (image, caption) pairs with a joint model, without padding."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from compactvl.studies.edje.model import Captions, JointModel
from compactvl.vision.store import TokenStore

CHUNK = 96


def chunks_by_length(lengths: Tensor, chunk: int = CHUNK) -> list[Tensor]:
    """Split pair indices into chunks of similar caption length, so that little or nothing is padded.

    Args:
        lengths: (P,) int64.

    Returns:
        Index tensors that cover 0..P-1 once.
    """
    return list(torch.argsort(lengths, stable=True).split(chunk))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for ``bf16``, none for ``fp32``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def match_pairs(
    model: JointModel, vision: Tensor, captions: Captions, images: Tensor, texts: Tensor, sep: int, dropout: float = 0.0
) -> Tensor:
    """ITM logits of pairs (images[p], texts[p]), float32 (P,), differentiable.

    Args:
        vision: stored tokens of the images (I, m, width).
        captions: tokenised captions (C, L).
        images: (P,) int64 into ``vision``.
        texts: (P,) int64 into ``captions``.
        sep: id of [SEP].
    """
    chunks = chunks_by_length(captions.lengths[texts])
    words, end = model.word_vectors(captions, sep)

    def match(rows: Tensor) -> Tensor:
        return model.match(vision[images[rows]], captions.pick(texts[rows]), words[texts[rows]], end, dropout)

    if model.checkpoint_chunks and torch.is_grad_enabled():
        parts = [checkpoint(match, rows, use_reentrant=False) for rows in chunks]
    else:
        parts = [match(rows) for rows in chunks]
    back = torch.empty_like(texts)
    back[torch.cat(chunks)] = torch.arange(len(texts), device=texts.device)
    return torch.cat(parts)[back]


@torch.inference_mode()
def compress_all(
    model: JointModel, store: TokenStore, image_ids: Sequence[str], precision: str, batch: int = 128
) -> Tensor:
    """Compressed tokens of images, float32 (N, m, width) on the CPU."""
    parts = []
    for start in range(0, len(image_ids), batch):
        patches = torch.from_numpy(store.read(image_ids[start : start + batch])).to(model.device).float()
        with autocast(model.device, precision):
            parts.append(model.compress(patches).float().cpu())
    return torch.cat(parts)


@torch.inference_mode()
def score_pairs(
    model: JointModel,
    vision: Tensor,
    captions: Captions,
    images: np.ndarray,
    texts: np.ndarray,
    sep: int,
    precision: str,
) -> np.ndarray:
    """ITM logits of many pairs for evaluation: float32 (P,). See :func:`match_pairs`."""
    device = model.device
    pair = (torch.from_numpy(images).to(device), torch.from_numpy(texts).to(device))
    with autocast(device, precision):
        return match_pairs(model, vision.to(device), captions.to(device), *pair, sep).cpu().numpy()
