"""Whole-word masking (BERT; the platform's collator): every piece of a chosen word is chosen."""

import torch
from torch import Tensor


def mask_whole_words(
    ids: Tensor, words: Tensor, *, rate: float, kept: float, mask_id: int, vocabulary: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Choose words, at least one a row that has any, and hide their pieces.

    Args:
        ids: (B, L) int64. words: (B, L) int64, the word of each piece; negative: never chosen.
        rate: share of the words that are chosen. kept: share of the chosen pieces that stay, and share that become a random
            piece; the rest becomes ``mask_id``.
        vocabulary: random pieces are below it.

    Returns:
        Ids after hiding, and a (B, L) bool, which pieces were chosen.
    """
    device, number = ids.device, int(words.max()) + 1
    there = words >= 0
    if number < 1:
        return ids, torch.zeros_like(there)
    known = torch.zeros(len(ids), number, dtype=torch.int64, device=device)
    known = known.scatter_reduce_(1, words.clamp(min=0), there.long(), "amax").bool()
    draw = torch.rand(known.shape, generator=generator).to(device).masked_fill(~known, 2.0)
    chosen = draw < rate
    chosen |= (draw == draw.amin(1, keepdim=True)) & known & ~chosen.any(1, keepdim=True)
    picked = chosen.gather(1, words.clamp(min=0)) & there
    fate = torch.rand(ids.shape, generator=generator).to(device)
    random = torch.randint(vocabulary, ids.shape, generator=generator).to(device)
    hidden = torch.where(fate < kept, ids, torch.where(fate < 2 * kept, random, mask_id))
    return torch.where(picked, hidden, ids), picked
