"""EDJE's model: a vision adapter, MiniLM as joint encoder, and its heads (paper, section 3); and how it scores many pairs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from compactvl.nn.adapters import CompressionAdapter, LocalAdapter, PoolingAdapter
from compactvl.nn.bert import BertEncoder, BertShape
from compactvl.nn.compute import autocast
from compactvl.studies.edje.settings import JointEncoder, LateInteraction
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

CHUNK = 96
"""Pairs that are scored at once."""
INITIAL_SD = 0.02
"""BERT's standard deviation of fresh weights."""


def build_adapter(settings: LateInteraction | JointEncoder, width: int) -> nn.Module:
    """Return a variant's adapter, untrained: (B, T, d_v) → (B, m, ``width``)."""
    adapter, d_v = settings.adapter, settings.vision.width
    if adapter.kind == "local":
        return LocalAdapter(d_v, width, adapter.hidden)
    if adapter.kind == "compressed":
        return CompressionAdapter(d_v, width, adapter.tokens, adapter.heads, adapter.hidden)
    return PoolingAdapter(d_v, width, adapter.tokens, adapter.hidden)


def word_statistics(words: Tensor) -> tuple[Tensor, Tensor]:
    """Mean vector (width,) and spread (root mean squared distance to it) of a table of word embeddings."""
    mean = words.mean(0)
    return mean, (words - mean).norm(dim=-1).square().mean().sqrt()


def to_word_scale(y: Tensor, mean: Tensor, spread: Tensor) -> Tensor:
    """Centre and scale vectors to the word embeddings' statistics: mean + spread · LayerNorm(y) / √width, in float32."""
    width = y.shape[-1]
    return mean + spread * F.layer_norm(y.float(), (width,)) / width**0.5


class MaskedWordHead(nn.Module):
    """BERT's masked-language-model head; its output matrix is the word embedding table and a row for ``<image>``.

    It begins as transformers begins one that a checkpoint lacks, as MiniLM's does.
    """

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.dense = nn.Linear(shape.width, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.image = nn.Parameter(torch.empty(1, shape.width))
        self.bias = nn.Parameter(torch.zeros(shape.vocabulary + 1))
        for weight in (self.dense.weight, self.image):
            nn.init.normal_(weight, std=INITIAL_SD)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x: Tensor, words: Tensor) -> Tensor:
        """(N, width), (vocabulary, width) → logits (N, vocabulary + 1)."""
        return F.linear(self.norm(F.gelu(self.dense(x))), torch.cat([words, self.image]), self.bias)


class JointModel(nn.Module):
    """Scores (image tokens, caption) pairs.

    The sequence is BERT's pair ``[CLS] caption [SEP] image×N [SEP]`` with BERT's positions and types. In memory the image
    block stands first: attention does not see the order of memory, only the positions, and so padding is only ever at
    the end and [CLS] always in the same place.

    Args:
        settings: the variant's. bert: sizes of the joint encoder; its position table is extended where the caption and the
            image's tokens need more.
        recovery_dim: width of the embedding model's text vector, or ``None`` for no recovery head.

    Attributes:
        tokens: m, tokens an image. longest_caption: of a pair, in word pieces, [CLS] and its own [SEP] included.
        checkpoint_chunks: recompute each chunk of pairs in the backward instead of keeping its activations.
    """

    def __init__(self, settings: JointEncoder, bert: BertShape, recovery_dim: int | None = None) -> None:
        super().__init__()
        self.settings, self.longest_caption = settings, settings.joint.longest_caption - 1
        self.checkpoint_chunks = settings.joint.checkpoint_chunks
        self.tokens = settings.adapter.tokens or settings.vision.tokens
        self.adapter = build_adapter(settings, bert.width)
        self.bert = BertEncoder(bert)
        self.bert.extend_positions(self.places)
        self.pooler = nn.Linear(bert.width, bert.width)
        self.itm = nn.Linear(bert.width, 1)
        self.masked_words = MaskedWordHead(bert) if settings.objectives.mlm > 0 else None
        self.recovery = nn.Linear(bert.width, recovery_dim) if recovery_dim else None
        self.register_buffer("word_mean", torch.zeros(bert.width))
        self.register_buffer("word_sd", torch.ones(()))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.itm.weight.device

    @property
    def places(self) -> int:
        """Positions of the longest pair."""
        return self.settings.joint.longest_caption + self.tokens

    def encode(self, tokenizer: WordPiece, captions: Sequence[str]) -> list[list[int]]:
        """Token ids of captions as they stand in a pair, which keeps one piece less than a caption alone."""
        return tokenizer.encode(captions, self.longest_caption, canonical=self.settings.joint.canonical)

    @torch.no_grad()
    def set_word_statistics(self) -> None:
        """Take the mean vector and the spread (root mean squared distance to it) of the current word embeddings."""
        mean, spread = word_statistics(self.bert.embeddings.word.weight)
        self.word_mean.copy_(mean)
        self.word_sd.copy_(spread)

    def compress(self, patches: Tensor) -> Tensor:
        """Patch tokens → what is stored: (B, T, d_v) → (B, m, width)."""
        y = self.adapter(patches)
        return to_word_scale(y, self.word_mean, self.word_sd) if self.settings.adapter.rescale else y

    def word_vectors(self, captions: TokenBatch, sep: int) -> tuple[Tensor, Tensor]:
        """Word embeddings (C, L, width) of captions and (width,) of [SEP].

        Looked up once and picked from: the backward of a look-up fills a gradient as large as the whole table.
        """
        ids = F.pad(captions.ids.flatten(), (0, 1), value=sep)
        vectors = self.bert.embeddings.word(ids)
        return vectors[:-1].view(*captions.ids.shape, -1), vectors[-1]

    def _assemble(
        self, vision: Tensor, captions: TokenBatch, words: Tensor, end: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Return vectors, positions, types and mask of the pair sequence."""
        batch, m, _ = vision.shape
        length = captions.ids.shape[1]
        vectors = torch.cat([vision.to(words.dtype), end.expand(batch, 1, -1), words[:, :length]], dim=1)
        device = vision.device
        image_positions = captions.lengths[:, None] + torch.arange(m + 1, device=device)
        positions = torch.cat([image_positions, torch.arange(length, device=device).expand(batch, -1)], dim=1)
        types = torch.cat([torch.ones(m + 1), torch.zeros(length)]).long().to(device)
        mask = captions.padded_mask
        if mask is not None:
            mask = torch.cat([mask.new_ones(batch, m + 1), mask], dim=1)
        return vectors, positions, types, mask

    def match(self, vision: Tensor, captions: TokenBatch, words: Tensor, end: Tensor, dropout: float = 0.0) -> Tensor:
        """ITM logits of pairs.

        Args:
            vision: stored tokens (B, m, width).
            captions: the pairs' captions (B, L).
            words: their word embeddings (B, ≥ L, width), and ``end`` that of [SEP]: see :meth:`word_vectors`.
            dropout: hidden dropout while training.

        Returns:
            (B,) float32.
        """
        first = self.bert(*self._assemble(vision, captions, words, end), dropout=dropout, row=vision.shape[1] + 1)
        # Logits are ranked, so the head runs in float32: bf16's three digits would make ties.
        with autocast(first.device, "fp32"):
            return self.itm(torch.tanh(self.pooler(first.float()))).squeeze(-1)

    def predict_words(
        self, vision: Tensor, captions: TokenBatch, masked: Tensor, sep: int, dropout: float = 0.0
    ) -> Tensor:
        """Logits of the masked caption words: (number of true in ``masked`` (B, L), vocabulary + 1)."""
        assert self.masked_words is not None
        assembled = self._assemble(vision, captions, *self.word_vectors(captions, sep))
        hidden = self.bert(*assembled, dropout=dropout)[:, vision.shape[1] + 1 :]
        return self.masked_words(hidden[masked], self.bert.embeddings.word.weight)

    def recover(self, captions: TokenBatch, dropout: float = 0.0) -> Tensor:
        """Prediction of the embedding model's text vector from the caption alone: (B, recovery_dim)."""
        assert self.recovery is not None
        ids = captions.ids
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        vectors = self.bert.embeddings.word(ids)
        first = self.bert(vectors, positions, torch.zeros_like(ids), captions.padded_mask, dropout=dropout, row=0)
        return self.recovery(first)


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
