"""ESsEN's models: one tower, two towers, their double pooler, and the heads of each task."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.compute import autocast
from compactvl.nn.heads import INIT_STD, mlp
from compactvl.nn.vilt import PatchEmbedding
from compactvl.studies.essen import settings as forms
from compactvl.studies.essen.fusion import CrossModalLayer, key_bias
from compactvl.studies.essen.towers import TextTower, initialise
from compactvl.text.batches import TokenBatch

TEXT, IMAGE = 0, 1
"""Rows of the modality table; an item's second image has row 2."""
Rows = Tensor | None
"""Which text, or which image, each pair is of: (N,) int64; ``None``: the one at its place."""


class OneTower(nn.Module):
    """One stack of layers over word pieces and patches.

    Args:
        image_size: side of the images in pixels. modalities: rows of the modality table.
    """

    def __init__(self, form: forms.OneTower, image_size: int, dropout: float, modalities: int) -> None:
        super().__init__()
        self.text = TextTower(form.text, dropout)
        self.width, self.dropout = self.text.width, dropout
        self.image = PatchEmbedding(self.width, form.patch, image_size // form.patch)
        self.modality = nn.Embedding(modalities, self.width)
        for weight in (self.image.cls, self.image.position, self.modality.weight):
            nn.init.normal_(weight, std=INIT_STD)

    def look(self, pixels: Tensor, which: int = 0) -> Tensor:
        """Images, an item's first or second (``which`` 0, 1): (I, 3, S, S) → (I, 1 + P, H)."""
        patches = self.image(pixels, None)[0]
        return F.dropout(patches, self.dropout, self.training) + self.modality.weight[IMAGE + which]

    def join(
        self, texts: TokenBatch, images: Tensor, of_text: Rows = None, of_image: Rows = None
    ) -> tuple[Tensor, Tensor]:
        """Read texts with images: states of N pairs, (N, L, H) and (N, 1 + P, H).

        Args:
            images: of :meth:`look`. of_text, of_image: which of them each pair is of.
        """
        text, mask = self.text.embed(texts) + self.modality.weight[TEXT], texts.padded_mask
        text, images = pick(text, of_text), pick(images, of_image)
        if mask is not None:
            mask = torch.cat([pick(mask, of_text), torch.ones_like(images[..., 0], dtype=torch.bool)], 1)
        x = self.text.encode(torch.cat([text, images.to(text.dtype)], 1), mask)
        return x[:, : text.shape[1]], x[:, text.shape[1] :]


class TwoTower(nn.Module):
    """A text tower and a vision tower, each brought to one width, then cross-modal layers.

    Args:
        text: a text tower. vision: a :class:`compactvl.vision.timm_models.TimmTokens`. modalities: rows of the modality table.
    """

    def __init__(
        self, form: forms.TwoTower, text: nn.Module, vision: nn.Module, dropout: float, modalities: int
    ) -> None:
        super().__init__()
        self.text, self.vision, self.form, self.width = text, vision, form, form.fusion.width
        self.text_in = nn.Linear(text.width, self.width)
        self.image_in = nn.Linear(vision.pooled_dim, self.width)
        self.modality = nn.Embedding(modalities, self.width)
        self.layers = nn.ModuleList(CrossModalLayer(form.fusion, dropout) for _ in range(form.fusion.layers))
        for part in (self.text_in, self.image_in, self.modality, self.layers):
            initialise(part)
        for tower, frozen in ((text, form.text.frozen), (vision, form.vision.frozen)):
            if frozen:
                tower.requires_grad_(False)

    def train(self, mode: bool = True) -> "TwoTower":
        """Switch to training; frozen towers stay in evaluation, dropout and batch statistics too."""
        super().train(mode)
        for tower, frozen in ((self.text, self.form.text.frozen), (self.vision, self.form.vision.frozen)):
            if frozen:
                tower.eval()
        return self

    def look(self, pixels: Tensor, which: int = 0) -> Tensor:
        """Images, an item's first or second (``which`` 0, 1): (I, 3, S, S) → (I, 1 + T, H), the pooled vector first."""
        own = self.form.vision.precision
        if own is None:
            tokens, pooled = self.vision(pixels)
        else:
            with autocast(pixels.device, own):
                tokens, pooled = self.vision(pixels)
        states = torch.cat([pooled[:, None], tokens], 1)
        return self.image_in(states) + self.modality.weight[IMAGE + which]

    def join(
        self, texts: TokenBatch, images: Tensor, of_text: Rows = None, of_image: Rows = None
    ) -> tuple[Tensor, Tensor]:
        """Join texts with images; as :meth:`OneTower.join`."""
        text = self.text_in(self.text(texts)) + self.modality.weight[TEXT]
        text, images = pick(text, of_text), pick(images, of_image)
        bias = key_bias(None if texts.padded_mask is None else pick(texts.mask, of_text))
        for layer in self.layers:
            text, images = layer(text, images, bias)
        return text, images


class Model(nn.Module):
    """An encoder, its double pooler, and the heads of what it is trained for.

    Args:
        settings: the variant's. encoder: one tower or two.
    """

    def __init__(self, settings: forms.Encoder, encoder: OneTower | TwoTower) -> None:
        super().__init__()
        self.settings, self.encoder = settings, encoder
        width, both = encoder.width, 2 * encoder.width
        self.text_pooler, self.image_pooler = nn.Linear(width, width), nn.Linear(width, width)
        self.head = self.matching = self.masked_words = None
        if isinstance(settings, forms.Answering):
            self.head = mlp(both * (2 if settings.image_pair else 1), both, settings.answers)
        elif isinstance(settings, forms.Grounding):
            self.head = mlp(both, both, 1)
        else:
            self.matching = nn.Linear(both, 2)
            self.masked_words = MaskedWords(width, *encoder.text.words.shape)
        for fresh in (self.text_pooler, self.image_pooler, *(x for x in (self.matching, self.masked_words) if x)):
            initialise(fresh)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.parameters()).device

    def look(self, pixels: Tensor, which: int = 0) -> Tensor:
        """Compute what does not depend on the text; see the encoders. A blind model sees grey images."""
        blind = getattr(self.settings, "blind", False)
        return self.encoder.look(torch.zeros_like(pixels) if blind else pixels, which)

    def pool(self, text: Tensor, image: Tensor) -> Tensor:
        """tanh of a Linear of each modality's first state, side by side: (N, L, H), (N, P, H) → (N, 2 H)."""
        return torch.cat([self.text_pooler(text[:, 0]), self.image_pooler(image[:, 0])], -1).tanh()

    def pooled(self, texts: TokenBatch, images: Tensor, of_text: Rows = None, of_image: Rows = None) -> Tensor:
        """Read N pairs: (N, 2 H); arguments as :meth:`OneTower.join`."""
        return self.pool(*self.encoder.join(texts, images, of_text, of_image))

    def answer(self, texts: TokenBatch, images: Sequence[Tensor], of_image: Rows = None) -> Tensor:
        """Logits (B, answers) of items.

        Args:
            images: of :meth:`look`, one batch, or two for items of two images.
        """
        return self.head(torch.cat([self.pooled(texts, one, None, of_image) for one in images], -1))

    def choose(self, texts: TokenBatch, boxes: Tensor, counts: Tensor) -> Tensor:
        """Logits (B, K) of each text's boxes; minus infinity where it has fewer than K, so that none of those is chosen.

        Args:
            boxes: of :meth:`look`, all boxes of the first text, then of the next. counts: (B,) int64, boxes of each.
        """
        of_text = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        logits = self.head(self.pooled(texts, boxes, of_text))[:, 0].float()
        there = torch.arange(int(counts.max()), device=counts.device) < counts[:, None]
        return torch.full(there.shape, float("-inf"), device=logits.device).masked_scatter(there, logits)


class MaskedWords(nn.Module):
    """BERT's head: Linear · GELU · LayerNorm, then the product with the word table, and a bias a word."""

    def __init__(self, width: int, vocabulary: int, embedding: int) -> None:
        super().__init__()
        self.dense, self.norm = nn.Linear(width, embedding), nn.LayerNorm(embedding, eps=1e-12)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, states: Tensor, words: Tensor) -> Tensor:
        """(N, H), (vocabulary, embedding) → logits (N, vocabulary)."""
        return F.linear(self.norm(F.gelu(self.dense(states))), words, self.bias)


def pick(x: Tensor, rows: Rows) -> Tensor:
    """Select rows, or all."""
    return x if rows is None else x[rows]
