"""Auxiliary losses on caption batches: CLIP, and lexicon-level contrastive grounding (LCG) (paper: auxiliary objectives)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.compute import autocast


class Temperature(nn.Module):
    """A learned τ, held between two bounds after each step, as released: log τ is what is learned."""

    def __init__(self, first: float, coldest: float, warmest: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(first).log())
        self.bounds = math.log(coldest), math.log(warmest)

    def forward(self) -> Tensor:
        """τ, a scalar."""
        with torch.no_grad():  # as if after the last step: clamping the value in use would end its gradient at a bound
            self.log.clamp_(*self.bounds)
        return self.log.exp()


class ClipHead(nn.Module):
    """Symmetric cross-entropy between pooled texts and images of a batch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.text, self.image = nn.Linear(width, width), nn.Linear(width, width)
        self.temperature = Temperature(0.07, 0.05, 1.0)

    def forward(self, texts: Tensor, images: Tensor) -> Tensor:
        """Loss of matching pairs ``texts[i]``, ``images[i]``, both (B, d): a scalar, float32."""
        with autocast(texts.device, "fp32"):
            texts, images = (F.normalize(x, dim=-1) for x in (self.text(texts.float()), self.image(images.float())))
            logits = texts @ images.T / self.temperature()
        labels = torch.arange(len(logits), device=logits.device)
        return 0.5 * (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels))


class LcgHead(nn.Module):
    """Every token of a caption against the batch's images, and the image against the caption's tokens.

    s(v, t) = ⟨M_V v, M_L t⟩/τ. A token should score highest with its caption's image (softmax over images), and the
    image with each token as with the others (softmax over the caption's tokens). ``released`` leaves out the −log, and
    compares with others: over images with those whose caption has a token at that place, over tokens with all tokens
    of other captions.
    """

    def __init__(self, width: int, mode: str) -> None:
        super().__init__()
        self.text, self.image = nn.Linear(width, width, bias=False), nn.Linear(width, width, bias=False)
        self.temperature = Temperature(1.0, 0.05, 2.0)
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
            scores = torch.einsum("bld,kd->blk", words, images) / self.temperature()
        own = torch.arange(len(images), device=images.device)
        if self.released:
            return self._shares(scores, mask, own).mean()
        over_images = scores.log_softmax(-1)[own, :, own]
        over_words = scores[own, :, own].masked_fill(~mask, float("-inf")).log_softmax(-1)
        return -torch.stack([over_images, over_words.masked_fill(~mask, 0.0)])[:, mask].mean()

    def _shares(self, scores: Tensor, mask: Tensor, own: Tensor) -> Tensor:
        """Each word's share among images and among words, as the release takes them: (2, words), in 0..1."""
        matching = scores[own, :, own]
        over_images = matching - scores.masked_fill(~mask.T[None], float("-inf")).logsumexp(-1)
        others = scores.masked_fill(~mask[..., None], float("-inf"))
        others = others.masked_fill(torch.eye(len(own), dtype=torch.bool, device=own.device)[:, None], float("-inf"))
        others = others.flatten(0, 1).logsumexp(0)[:, None].expand_as(matching)  # by image
        over_words = matching - torch.logaddexp(matching, others)
        return torch.stack([over_images, over_words])[:, mask].exp()
