"""DiDE's losses (paper, section 3.2; released code where the page says so). All are computed and returned in float32."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

MASKED = -1e4
QueryKey = tuple[Tensor, Tensor]
"""Queries and keys (B, heads, L, d) of one modality in one layer."""


def soft_labels(student: Tensor, teacher: Tensor, several: bool) -> Tensor:
    """The teacher's answers, temperature 1.

    Args:
        student, teacher: logits (B, A).
        several: answers score each by itself (VQA): BCE with the teacher's probabilities, as :func:`hard_labels`; else
            KL(teacher ‖ student), mean over items.
    """
    student, teacher = student.float(), teacher.float()
    if several:
        return F.binary_cross_entropy_with_logits(student, teacher.sigmoid()) * student.shape[1]
    return F.kl_div(student.log_softmax(-1), teacher.log_softmax(-1), log_target=True, reduction="batchmean")


def cross_attention(query: Tensor, key: Tensor, keys_there: Tensor) -> Tensor:
    """Log of attention from one modality to the other, normalised over the other's positions alone.

    Args:
        query: (B, heads, L, d). key: (B, heads, S, d). keys_there: (B, S) bool, at least one true a row.

    Returns:
        float32 (B, heads, L, S): log softmax; about −10,000 at keys that are not there.
    """
    scores = query.float() @ key.float().transpose(-1, -2) / math.sqrt(query.shape[-1])
    return scores.masked_fill(~keys_there[:, None, None], MASKED).log_softmax(-1)


def cross_maps(text: QueryKey, image: QueryKey, there: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Log of attention in both directions: text → image (B, heads, L, P), image → text (B, heads, P, L).

    Args:
        text, image: queries and keys. there: (B, L) and (B, P) bool, what is no padding.
    """
    return cross_attention(text[0], image[1], there[1]), cross_attention(image[0], text[1], there[0])


def attention_distillation(
    student: tuple[Tensor, Tensor],
    teacher: tuple[Tensor, Tensor],
    there: tuple[Tensor, Tensor],
    queries: str = "real",
) -> Tensor:
    """Cross-modal attention distillation of one layer (paper, equations 4 to 6).

    KL(teacher ‖ student), summed over keys, mean over items, heads and queries; both directions added. The teacher's attention
    is normalised anew inside the cross-modal block, never cut out of the joint softmax.

    Args:
        student, teacher: of :func:`cross_maps`.
        there: (B, L) and (B, P) bool, what is no padding.
        queries: ``real``: those that are there count; ``all``: padded ones too (released).
    """
    total = torch.zeros((), device=there[0].device)
    for learned, taught, asking, asked in zip(student, teacher, there, there[::-1], strict=True):
        terms = torch.where(asked[:, None, None], taught.exp() * (taught - learned), 0.0).sum(-1)
        counted = (asking if queries == "real" else torch.ones_like(asking))[:, None].expand_as(terms)
        total = total + torch.where(counted, terms, 0.0).sum() / counted.sum()
    return total


def matching(logits: Tensor, match: Tensor) -> Tensor:
    """In-batch image-text matching: which image belongs to a text and which text to an image.

    Args:
        logits: (B, B), texts × images, the pairs on the diagonal.
        match: (B, B) bool, what says the same; those besides the diagonal take no part.
    """
    wrong = match & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.float().masked_fill(wrong, float("-inf"))
    own = torch.arange(len(logits), device=logits.device)
    return 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own))


def mask_words(
    ids: Tensor, maskable: Tensor, rate: float, mask_id: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Replace a share of the maskable ids by [MASK], at least one a row that has any.

    Args:
        ids: (B, L) int64. maskable: (B, L) bool. rate: share.

    Returns:
        Masked ids, and a (B, L) bool that is true where one was masked.
    """
    draw = torch.rand(ids.shape, generator=generator).to(ids.device).masked_fill(~maskable, 2.0)
    masked = (draw < rate) | ((draw == draw.amin(1, keepdim=True)) & maskable)
    masked = (draw < rate) | (masked & ~(draw < rate).any(1, keepdim=True))
    return ids.masked_fill(masked, mask_id), masked
