"""BERT (Devlin et al. 2019), post-norm, with fused projections, arbitrary positions and a [CLS]-only last layer.

The same function as ``transformers.BertModel`` (a test holds it to that), written out for speed: the last layer is
computed for [CLS] alone when nothing else is read, queries, keys and values come from one product, and attention in bf16
on the CPU avoids the fused operator's slow backward (:mod:`compactvl.nn.attention`; a training step is 2.2 times as fast).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.errors import UserError
from compactvl.nn.attention import attend

MASKED = -1e4
HEAD_WIDTH = 32
"""Numbers an attention head has in MiniLM."""


@dataclass(frozen=True)
class BertShape:
    """Sizes of a BERT encoder; the defaults are MiniLM-L12-H384-uncased's."""

    vocabulary: int = 30_522
    width: int = 384
    layers: int = 12
    heads: int = 12
    hidden: int = 1536
    positions: int = 512
    types: int = 2
    norm_eps: float = 1e-12

    @classmethod
    def of(cls, state: Mapping[str, Tensor]) -> "BertShape":
        """Sizes of a :class:`BertEncoder`'s weights; heads have :data:`HEAD_WIDTH` numbers, which weights do not show."""
        vocabulary, width = state["embeddings.word.weight"].shape
        return cls(
            vocabulary=vocabulary,
            width=width,
            layers=1 + max(int(key.split(".")[1]) for key in state if key.startswith("layers.")),
            heads=width // HEAD_WIDTH,
            hidden=len(state["layers.0.up.weight"]),
            positions=len(state["embeddings.position.weight"]),
            types=len(state["embeddings.segment.weight"]),
        )


class BertEmbeddings(nn.Module):
    """Word, position and type embeddings, added and normalised."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.word = nn.Embedding(shape.vocabulary, shape.width)
        self.position = nn.Embedding(shape.positions, shape.width)
        self.segment = nn.Embedding(shape.types, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)

    def forward(self, vectors: Tensor, positions: Tensor, types: Tensor) -> Tensor:
        """Add position and type embeddings to word-level ``vectors`` and normalise.

        Args:
            vectors: (B, L, width), word embeddings or what stands in their place.
            positions: (B, L) int64, rows of the position table.
            types: (L,) or (B, L) int64.
        """
        return self.norm(vectors + self.position(positions) + self.segment(types))


class BertLayer(nn.Module):
    """Self-attention and feed-forward, each followed by a residual sum and LayerNorm."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.qkv = nn.Linear(shape.width, 3 * shape.width)
        self.out = nn.Linear(shape.width, shape.width)
        self.attention_norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)
        self.up = nn.Linear(shape.width, shape.hidden)
        self.down = nn.Linear(shape.hidden, shape.width)
        self.norm = nn.LayerNorm(shape.width, eps=shape.norm_eps)

    def forward(
        self,
        x: Tensor,
        bias: Tensor | None,
        dropout: float = 0.0,
        row: int | None = None,
        keep: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Return the layer's output.

        Args:
            x: (B, L, width).
            bias: additive attention bias, broadcastable to (B, heads, L, L), or ``None``.
            dropout: probability, applied where BERT applies its hidden and attention dropouts.
            row: compute only this position's output.
            keep: receives (queries, keys), each (B, heads, L, width / heads), of every position.

        Returns:
            (B, L, width), or (B, 1, width) with ``row``.
        """
        batch, _, width = x.shape
        split = (batch, -1, self.heads, width // self.heads)
        if row is None or keep is not None:
            query, key, value = self.qkv(x).chunk(3, dim=-1)
        else:
            # Slices of the fused weight: keys and values for every position, the query for one.
            weight, offset = self.qkv.weight, self.qkv.bias
            key, value = F.linear(x, weight[width:], offset[width:]).chunk(2, dim=-1)
            x = x[:, row : row + 1]
            query = F.linear(x, weight[:width], offset[:width])
        query, key, value = (part.reshape(split).transpose(1, 2) for part in (query, key, value))
        if keep is not None:
            keep.append((query, key))
            if row is not None:
                x, query = x[:, row : row + 1], query[:, :, row : row + 1]
        mixed = (
            attend(query, key, value, bias, dropout if self.training else 0.0).transpose(1, 2).reshape(batch, -1, width)
        )
        x = self.attention_norm(x + F.dropout(self.out(mixed), dropout, self.training))
        return self.norm(x + F.dropout(self.down(F.gelu(self.up(x))), dropout, self.training))


class BertEncoder(nn.Module):
    """Embeddings and layers: ``transformers.BertModel`` without its pooler."""

    def __init__(self, shape: BertShape) -> None:
        super().__init__()
        self.shape = shape
        self.embeddings = BertEmbeddings(shape)
        self.layers = nn.ModuleList(BertLayer(shape) for _ in range(shape.layers))

    def forward(
        self,
        vectors: Tensor,
        positions: Tensor,
        types: Tensor,
        mask: Tensor | None,
        *,
        dropout: float = 0.0,
        row: int | None = None,
        keep: Mapping[int, list[tuple[Tensor, Tensor]]] | None = None,
    ) -> Tensor:
        """Encode a batch of sequences.

        Args:
            vectors: (B, L, width) in place of word embeddings.
            positions: (B, L) int64.
            types: (L,) or (B, L) int64.
            mask: (B, L) bool, true where there is a token, or ``None`` when nothing is padded.
            dropout: hidden and attention dropout while training.
            row: return only this position, computing the last layer for it alone.
            keep: number of a layer → list that receives its queries and keys (see :class:`BertLayer`).

        Returns:
            (B, L, width), or (B, width) with ``row``.
        """
        x = F.dropout(self.embeddings(vectors, positions, types), dropout, self.training)
        bias = None
        if mask is not None:
            bias = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device).masked_fill_(~mask, MASKED)
            bias = bias[:, None, None, :]
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            x = layer(x, bias, dropout, row if index == last else None, keep.get(index) if keep else None)
        return x if row is None else x[:, 0]

    def encode_words(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """Encode plain text: (B, L) int64 ids → (B, L, width)."""
        positions = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
        return self(self.embeddings.word(ids), positions, torch.zeros_like(ids), mask)

    def extend_positions(self, count: int) -> None:
        """Lengthen the position table to ``count`` rows with copies of its last row (EDJE, released code)."""
        table = self.embeddings.position.weight
        if count > table.shape[0]:
            extra = table[-1:].detach().expand(count - table.shape[0], -1)
            self.embeddings.position = nn.Embedding.from_pretrained(torch.cat([table.detach(), extra]), freeze=False)


def from_transformers(state: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Convert ``transformers`` BERT weights to :class:`BertEncoder`'s, keeping the first ``layers`` layers.

    Args:
        state: keys as in ``BertModel.state_dict()``, with or without the prefix ``bert.``.
        layers: how many layers to keep.

    Raises:
        UserError: a weight is missing, or one is there that is neither used nor on the list of known extras.
    """
    state = {key.removeprefix("bert."): value for key, value in state.items()}
    used: set[str] = set()

    def take(key: str) -> Tensor:
        if key not in state:
            raise UserError(f"BERT weights lack {key!r}; they are not a BERT of at least {layers} layers")
        used.add(key)
        return state[key]

    result = {
        "embeddings.word.weight": take("embeddings.word_embeddings.weight"),
        "embeddings.position.weight": take("embeddings.position_embeddings.weight"),
        "embeddings.segment.weight": take("embeddings.token_type_embeddings.weight"),
        "embeddings.norm.weight": take("embeddings.LayerNorm.weight"),
        "embeddings.norm.bias": take("embeddings.LayerNorm.bias"),
    }
    names = {
        "out": "attention.output.dense",
        "attention_norm": "attention.output.LayerNorm",
        "up": "intermediate.dense",
        "down": "output.dense",
        "norm": "output.LayerNorm",
    }
    for index in range(layers):
        theirs, ours = f"encoder.layer.{index}", f"layers.{index}"
        for kind in ("weight", "bias"):
            parts = [take(f"{theirs}.attention.self.{part}.{kind}") for part in ("query", "key", "value")]
            result[f"{ours}.qkv.{kind}"] = torch.cat(parts)
            for name, source in names.items():
                result[f"{ours}.{name}.{kind}"] = take(f"{theirs}.{source}.{kind}")
    unexpected = [key for key in state if key not in used and not _known_extra(key)]
    if unexpected:
        raise UserError(f"BERT weights hold unexpected keys: {', '.join(unexpected[:5])}")
    return result


def _known_extra(key: str) -> bool:
    """Whether a key is a later layer's, the pooler's, the MLM head's or the position index."""
    return key.startswith(("encoder.layer.", "pooler.", "cls.")) or key == "embeddings.position_ids"
