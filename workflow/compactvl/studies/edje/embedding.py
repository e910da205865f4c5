"""The embedding models: first stages, miners of hard negatives, and baselines.

All of them turn images and captions into a similarity matrix (images × captions); EDJE reranks its best entries.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.studies.edje.model import to_word_scale, word_statistics
from compactvl.studies.edje.settings import Embedding

HEAD_WIDTH = 64


class Projection(nn.Module):
    """LayerNorm · Linear, with an optional residual MLP; the result has unit length."""

    def __init__(self, width: int, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, dim)
        self.mlp = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, dim))
            if hidden
            else None
        )
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(B, width) → (B, dim)."""
        x = F.dropout(x, self.dropout, self.training)
        y = self.linear(self.norm(x))
        if self.mlp is not None:
            y = y + self.mlp(x)
        return F.normalize(y, dim=-1)


class AttentionPooling(nn.Module):
    """One learned query over the patch tokens (the pooling head of SigLIP, without its MLP)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.norm = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, width) → (B, width)."""
        tokens = self.norm(tokens)
        return self.attention(self.query.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)[0][:, 0]


class EmbeddingModel(nn.Module):
    """Two projections and a temperature, trained on frozen vision features and sentence vectors."""

    def __init__(self, settings: Embedding) -> None:
        super().__init__()
        vision = settings.vision
        width = {
            "pooled": vision.pooled,
            "mean": vision.width,
            "pooled_and_mean": vision.pooled + vision.width,
            "attention": vision.width,
        }[settings.pooling]
        self.pooling = AttentionPooling(width, max(1, width // HEAD_WIDTH)) if settings.pooling == "attention" else None
        self.image = Projection(width, settings.dim, settings.hidden, settings.dropout)
        self.text = Projection(settings.text_width, settings.dim, settings.hidden, settings.dropout)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.bias = nn.Parameter(torch.tensor(-10.0)) if settings.loss == "sigmoid" else None

    def embed_images(self, features: Tensor) -> Tensor:
        """(B, width), or (B, T, width) with attention pooling → unit vectors (B, dim)."""
        return self.image(self.pooling(features) if self.pooling is not None else features)

    def loss(self, images: Tensor, texts: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
        """Contrastive loss over a batch of matching rows.

        Args:
            images: unit vectors (B, dim).
            texts: unit vectors (B, dim).
            same: (B, B) bool, true where image i and caption j match too (equal captions), diagonal included.

        Returns:
            Loss and the (B, B) logits.
        """
        logits = self.log_scale.clamp(max=math.log(100)).exp() * images @ texts.T
        if self.bias is not None:
            sign = torch.where(same, 1.0, -1.0)
            return -F.logsigmoid(sign * (logits + self.bias)).sum() / len(logits), logits
        return symmetric_cross_entropy(logits, same), logits


def symmetric_cross_entropy(logits: Tensor, same: Tensor) -> Tensor:
    """Mean of both directions' softmax cross-entropy, target the diagonal; other matching entries are left out."""
    target = torch.arange(len(logits), device=logits.device)
    others = same & ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(others, float("-inf"))
    return 0.5 * (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))


class LateInteraction(nn.Module):
    """Score of an image's tokens against a caption's frozen word vectors.

    s(i, t) = scale · Σ_w softmax(u)_w · (1/β) log Σ_k exp(β cos(v_k − μ, w − μ)), with μ the mean word vector, u a learned
    number a word, β the sharpness; [CLS], [SEP] and padding are left out. A soft form of ColBERT's MaxSim.
    """

    def __init__(self, adapter: nn.Module, words: Tensor, sharpness: float, rescale: bool) -> None:
        super().__init__()
        self.adapter = adapter
        self.sharpness, self.rescale = sharpness, rescale
        self.weight = nn.Embedding(words.shape[0], 1)
        nn.init.zeros_(self.weight.weight)
        self.log_scale = nn.Parameter(torch.tensor(math.log(30.0)))
        # Frozen and taken from the pretrained weights, so not part of the checkpoint.
        self.register_buffer("words", words, persistent=False)
        mean, spread = word_statistics(words)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("spread", spread, persistent=False)

    def compress(self, patches: Tensor) -> Tensor:
        """Patch tokens (B, T, d_v) → (B, m, width)."""
        y = self.adapter(patches)
        return to_word_scale(y, self.mean, self.spread) if self.rescale else y

    def scores(self, vision: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """Tokens (I, m, width), word ids (C, L) without [CLS] and [SEP], mask (C, L) → (I, C) float32.

        A caption without words scores 0.
        """
        v = F.normalize(vision.float() - self.mean, dim=-1)
        w = F.normalize(self.words[ids] - self.mean, dim=-1)
        (images, m, width), (captions, length) = v.shape, ids.shape
        cosine = (v.reshape(-1, width) @ w.reshape(-1, width).T).float().view(images, m, captions * length)
        best = torch.logsumexp(self.sharpness * cosine, dim=1) / self.sharpness  # (I, C·L)
        # The lowest number instead of −inf: a caption without words has no importance anywhere, and no NaN.
        lowest = torch.finfo(torch.float32).min
        importance = self.weight(ids).squeeze(-1).float().masked_fill(~mask, lowest).softmax(-1) * mask
        score = (best.view(images, captions, length) * importance).sum(-1)
        return self.log_scale.clamp(max=math.log(200)).exp() * score
