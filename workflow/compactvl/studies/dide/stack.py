"""A transformer over text, an image, or both: what teacher and student are made of (paper, section 3.1).

As published it is ViLT's: pre-norm layers over BERT's text embeddings and patches of pixels. The demo's has MiniLM's layers,
which are post-norm, and an encoder's cached tokens in place of patches.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.bert import MASKED, BertEmbeddings, BertLayer, BertShape
from compactvl.nn.heads import INIT_STD
from compactvl.nn.vilt import NORM_EPS, PatchEmbedding, PreNormLayer
from compactvl.studies.dide.images import ImageBatch
from compactvl.studies.dide.settings import TokenImages, Trunk
from compactvl.text.batches import TokenBatch

TEXT, IMAGE = 0, 1
"""Rows of the modality table; the second image of an item has row 2."""
Kept = list[tuple[Tensor, Tensor]]
"""Queries and keys of a layer, each (B, heads, L, d / heads)."""


class TokenEmbedding(nn.Module):
    """A [CLS] vector and an image's cached tokens in the place of word vectors.

    Tokens are standardised, ``merge`` × ``merge`` neighbours become one, and a Linear · LayerNorm gives them the mean and
    spread of word vectors; positions are learned from a fixed start.

    Args:
        width: d. images: their tokens' number and width.
    """

    def __init__(self, width: int, images: TokenImages) -> None:
        super().__init__()
        self.side, self.merge = images.side, images.merge
        cells = (images.side // images.merge) ** 2
        self.register_buffer("mean", torch.zeros(images.width))
        self.register_buffer("std", torch.ones(images.width))
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.projection = nn.Linear(images.width * images.merge**2, width)
        self.scale = nn.LayerNorm(width)
        self.position = nn.Parameter(torch.zeros(1, 1 + cells, width))
        self.norm = nn.LayerNorm(width, eps=BertShape.norm_eps)

    def project(self, tokens: Tensor) -> Tensor:
        """(B, side², d_v) → (B, cells, d): in the place of word vectors, without positions."""
        x = ((tokens - self.mean) / self.std).unflatten(1, (self.side, self.side))
        x = x.unflatten(2, (-1, self.merge)).unflatten(1, (-1, self.merge))  # (B, rows, merge, columns, merge, d_v)
        return self.scale(self.projection(x.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2)).float())

    def forward(self, tokens: Tensor, mask: None = None) -> tuple[Tensor, Tensor]:
        """(B, side², d_v) → (B, 1 + cells, d), and a mask that is true throughout."""
        x = torch.cat([self.cls.expand(len(tokens), -1, -1), self.project(tokens)], 1)
        x = self.norm(x + self.position)
        return x, torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)


class Stack(nn.Module):
    """Embeddings, layers and pooler.

    Args:
        trunk: sizes and form of the layers. images: what its images are; ``None`` for a stack that sees text only.
        text: whether it sees text.
    """

    def __init__(self, trunk: Trunk, images: object | None, text: bool = True) -> None:
        super().__init__()
        width, vilt = trunk.width, trunk.blocks == "vilt"
        shape = BertShape(
            vocabulary=trunk.vocabulary, width=width, heads=trunk.heads, hidden=trunk.hidden, positions=trunk.positions
        )
        self.trunk = trunk
        self.text = BertEmbeddings(shape) if text else None
        self.image = None
        if images is not None:
            tokens = isinstance(images, TokenImages)
            self.image = TokenEmbedding(width, images) if tokens else PatchEmbedding(width, images.patch, images.grid)
        self.modality = nn.Embedding(3, width)
        make = (lambda: PreNormLayer(width, trunk.heads, trunk.hidden)) if vilt else (lambda: BertLayer(shape))
        self.layers = nn.ModuleList(make() for _ in range(trunk.layers))
        self.norm = nn.LayerNorm(width, eps=NORM_EPS) if vilt else nn.Identity()
        self.pooler = nn.Linear(width, width)
        for fresh in (self.modality, self.pooler):
            nn.init.normal_(fresh.weight, std=INIT_STD)
        nn.init.zeros_(self.pooler.bias)

    def embed_text(self, texts: TokenBatch) -> Tensor:
        """Embed (B, L) ids: (B, L, d)."""
        positions = torch.arange(texts.ids.shape[1], device=texts.ids.device).expand_as(texts.ids)
        x = self.text(self.text.word(texts.ids), positions, torch.zeros_like(texts.ids))
        return self._drop(x) + self.modality.weight[TEXT]

    def embed_image(self, images: ImageBatch, which: int = 0) -> tuple[Tensor, Tensor]:
        """Embed images, an item's first or second (``which`` 0, 1): (B, 1 + P, d), and which of them are there."""
        x, mask = self.image(images.values, images.mask)
        return self._drop(x) + self.modality.weight[IMAGE + which], mask

    def encode(
        self, x: Tensor, mask: Tensor | None, *, row: int | None = None, keep: Mapping[int, Kept] | None = None
    ) -> Tensor:
        """Run the layers.

        Args:
            x: (B, L, d), embedded. mask: (B, L) bool, true where there is something; ``None``: everywhere.
            row: return only this position, and compute the last layer for it alone.
            keep: number of a layer → list that receives its queries and keys.

        Returns:
            (B, L, d), or (B, d) with ``row``.
        """
        bias, last = None, len(self.layers) - 1
        if mask is not None and not bool(mask.all()):
            bias = torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, MASKED)[:, None, None, :]
        for index, layer in enumerate(self.layers):
            x = layer(x, bias, self.trunk.dropout, row if index == last else None, keep.get(index) if keep else None)
        x = self.norm(x)
        return x if row is None else x[:, 0]

    def pool(self, x: Tensor, mask: Tensor | None, keep: Mapping[int, Kept] | None = None) -> Tensor:
        """Run the layers and the pooler, tanh of a Linear: (B, L, d) → (B, d); arguments as :meth:`encode`."""
        if self.trunk.pooling == "cls":
            return self.squash(self.encode(x, mask, row=0, keep=keep))
        states = self.encode(x, mask, keep=keep)
        there = mask[..., None].to(states.dtype)
        return self.squash((states * there).sum(1) / there.sum(1))

    def squash(self, x: Tensor) -> Tensor:
        """tanh of the pooler's Linear, of any place."""
        return torch.tanh(self.pooler(x))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.trunk.dropout, self.training)
