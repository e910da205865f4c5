"""Multi-head attention with ``nn.MultiheadAttention``'s parameters, on :func:`compactvl.nn.attention.attend`."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.attention import attend


class MultiHeadAttention(nn.Module):
    """Attention of a sequence to itself or to another one.

    ``inner`` holds the projections to query, key and value below each other, as ``in_proj_weight`` does.

    Args:
        width: d. heads: number of heads; they share the width equally. dropout: of the attention weights.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.inner = nn.Linear(width, 3 * width)
        self.outer = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.inner.weight)
        nn.init.zeros_(self.inner.bias)
        nn.init.zeros_(self.outer.bias)

    def forward(
        self,
        x: Tensor,
        source: Tensor | None = None,
        bias: Tensor | None = None,
        *,
        aligned: bool = False,
        keep: list[tuple[Tensor, Tensor]] | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            x: (B, L, d), gives the queries.
            source: (B, S, d), gives keys and values; default: ``x``.
            bias: additive, broadcastable to (B, heads, L, S).
            aligned: S = L, and each query sees one key, its own; without ``keep``.
            keep: receives (queries (B, heads, L, d / heads), keys (B, heads, S, d / heads)).

        Returns:
            (B, L, d); or (B, 1, d) where there is one key, not aligned, and neither dropout nor ``keep``: every query gets
            the same.
        """
        dropout = self.dropout if self.training else 0.0
        if source is not None and (aligned or (source.shape[1] == 1 and keep is None)):
            assert keep is None, "aligned attention has no queries"
            return self._join(self._only_value(source, x.shape[1], dropout))
        if source is None:
            parts = self.inner(x).chunk(3, dim=-1)
        else:
            width = x.shape[-1]
            weight, offset = self.inner.weight, self.inner.bias
            query = F.linear(x, weight[:width], offset[:width])
            parts = (query, *F.linear(source, weight[width:], offset[width:]).chunk(2, dim=-1))
        query, key, value = (self._split(part) for part in parts)
        if keep is not None:
            keep.append((query, key))
        return self._join(attend(query, key, value, bias, dropout))

    def _only_value(self, source: Tensor, queries: int, dropout: float) -> Tensor:
        """With one key its weight is 1 whatever the query: (B, heads, S or queries, d / heads) without computing either."""
        width = source.shape[-1]
        value = self._split(F.linear(source, self.inner.weight[2 * width :], self.inner.bias[2 * width :]))
        if not dropout:
            return value
        value = value.expand(-1, -1, queries, -1)
        return value * F.dropout(torch.ones_like(value[..., :1]), dropout)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _join(self, mixed: Tensor) -> Tensor:
        return self.outer(mixed.transpose(1, 2).flatten(2))
