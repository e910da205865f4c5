"""EDJE's losses (paper, section 3.3; released code where the page says so). All return scalars in float32."""

import torch
from torch import Tensor
from torch.nn import functional as F


def itm_softmax(positive: Tensor, negatives: Tensor) -> Tensor:
    """Cross-entropy of the positive among [positive, negatives] (released form).

    With one negative this is softplus(negative − positive).

    Args:
        positive: logits (B,).
        negatives: logits (B, N); −inf where there is none.
    """
    logits = torch.cat([positive[:, None], negatives], dim=1)
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


def itm_binary(positive: Tensor, negatives: Tensor) -> Tensor:
    """Binary cross-entropy of each pair alone (the paper's wording), positives and negatives weighted equally.

    Args: as :func:`itm_softmax`; a batch without any negative has the positives' loss alone.
    """
    wrong = F.softplus(negatives[torch.isfinite(negatives)])
    return 0.5 * (F.softplus(-positive).mean() + wrong.sum() / max(1, len(wrong)))


def mask_captions(
    ids: Tensor, lengths: Tensor, rate: float, mask_id: int, unknown: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Replace caption tokens by [MASK], each by chance, never [CLS], [SEP], [UNK] or padding (released).

    Args:
        ids: (B, L) int64, [CLS] first and [SEP] last of each row's ``lengths`` ids.
        lengths: (B,) int64.
        rate: chance of a token. mask_id, unknown: ids of [MASK] and [UNK].

    Returns:
        Masked ids, and a (B, L) bool that is true where a token was masked.
    """
    place = torch.arange(ids.shape[1], device=ids.device)
    words = (place > 0) & (place < lengths[:, None] - 1) & (ids != unknown)
    masked = words & (torch.rand(ids.shape, generator=generator, device=ids.device) < rate)
    return ids.masked_fill(masked, mask_id), masked


def recovery(predicted: Tensor, target: Tensor) -> Tensor:
    """1 − cos between the prediction and the embedding model's text vector, mean over the batch."""
    return (1 - F.cosine_similarity(predicted.float(), target.float(), dim=-1)).mean()


def distillation(student: Tensor, teacher: Tensor) -> Tensor:
    """BCE(student logit, σ(teacher logit)), mean over pairs."""
    return F.binary_cross_entropy_with_logits(student, teacher.sigmoid())
