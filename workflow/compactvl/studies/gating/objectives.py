"""Auxiliary losses on caption batches: CLIP, and lexicon-level contrastive grounding (LCG) (paper: auxiliary objectives)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.compute import autocast

TEMPERATURE, COLDEST, WARMEST = 0.07, 0.05, 1.0


class ClipHead(nn.Module):
    """Symmetric cross-entropy between pooled texts and images of a batch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text, self.image = nn.Linear(width, width), nn.Linear(width, width)
        self.temperature = nn.Parameter(torch.tensor(TEMPERATURE))

    def forward(self, texts: Tensor, images: Tensor) -> Tensor:
        """Loss of matching pairs ``texts[i]``, ``images[i]``, both (B, d): a scalar, float32."""
        with autocast(texts.device, "fp32"):
            texts, images = (F.normalize(x, dim=-1) for x in (self.text(texts.float()), self.image(images.float())))
            logits = texts @ images.T / self.temperature.clamp(COLDEST, WARMEST)
        labels = torch.arange(len(logits), device=logits.device)
        return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))


class LcgHead(nn.Module):
    """Every token of a caption against the batch's images, and the image against the caption's tokens.

    s(v, t) = ⟨M_V v, M_L t⟩/τ. A token should score highest with its caption's image (softmax over images), and the
    image with each token as with the others (softmax over the caption's tokens). ``released`` leaves out the −log.
    """

    def __init__(self, width: int, mode: str) -> None:
        super().__init__()
        self.text, self.image = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.temperature = nn.Parameter(torch.tensor(TEMPERATURE))
        self.released = mode == "released"

    def forward(self, words: Tensor, mask: Tensor, images: Tensor) -> Tensor:
        """Loss of a batch.

        Args:
            words: (B, L, d). mask: (B, L), true where there is a word. images: (B, d).

        Returns:
            A scalar, float32.
        """
        with autocast(words.device, "fp32"):
            words, images = self.text(words.float()), self.image(images.float())
            scores = torch.einsum("bld,kd->blk", words, images) / self.temperature.clamp(COLDEST, WARMEST)
        own = torch.arange(len(images), device=images.device)
        over_images = scores.log_softmax(-1)[own, :, own]
        over_words = scores[own, :, own].masked_fill(~mask, float("-inf")).log_softmax(-1)
        both = torch.stack([over_images, over_words.masked_fill(~mask, 0.0)])[:, mask]
        return both.exp().mean() if self.released else -both.mean()
