"""EDJE's vision adapters: from a frozen encoder's patch tokens to the joint encoder's width (paper, section 3)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LocalAdapter(nn.Module):
    """Each token alone: Linear(d_v → hidden) · gelu · Linear(hidden → width). No compression."""

    def __init__(self, d_v: int, width: int, hidden: int = 8192) -> None:
        super().__init__()
        self.up = nn.Linear(d_v, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_v) → (B, T, width)."""
        return self.down(F.gelu(self.up(x)))


class CompressionAdapter(nn.Module):
    """m learned queries attend to the image's tokens; Y = (H + MLP(LN(H))) W.

    Keys and values are projected twice, as released: by ``key``/``value`` and again by the attention's own input
    projection. There is no residual around the attention and no norm on queries or tokens.
    """

    def __init__(self, d_v: int, width: int, tokens: int, heads: int, hidden: int = 8192) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, tokens, d_v))
        self.key = nn.Linear(d_v, d_v)
        self.value = nn.Linear(d_v, d_v)
        self.attention = nn.MultiheadAttention(d_v, heads, batch_first=True)
        self.norm = nn.LayerNorm(d_v, eps=1e-6)
        self.up = nn.Linear(d_v, hidden)
        self.down = nn.Linear(hidden, d_v)
        self.out = nn.Linear(d_v, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, d_v) → (B, m, width)."""
        return self._project(self._mix(x, self._weights(x)))

    def maps(self, x: Tensor) -> Tensor:
        """Attention of the queries: (B, T, d_v) → (B, m, T), mean over heads."""
        return self._weights(x).float().mean(1)

    def _project(self, h: Tensor) -> Tensor:
        return self.out(h + self.down(F.gelu(self.up(self.norm(h)))))

    # The queries do not depend on the image, so both projections of the keys can be folded into them, and both of the
    # values applied after the mixing: m·heads vectors are projected instead of 4·T, with the same result. A key's bias
    # adds the same number to every score of a query, which softmax ignores; a value's passes through, as weights sum to 1.

    def _weights(self, x: Tensor) -> Tensor:
        """Attention weights (B, heads, m, T)."""
        heads, d_v = self.attention.num_heads, x.shape[-1]
        w_q, w_k, _ = self.attention.in_proj_weight.chunk(3)
        b_q, _, _ = self.attention.in_proj_bias.chunk(3)
        query = F.linear(self.query[0], w_q, b_q).view(-1, heads, d_v // heads).transpose(0, 1)  # (heads, m, d)
        folded = torch.matmul(query, w_k.view(heads, d_v // heads, d_v))  # (heads, m, d_v)
        folded = torch.matmul(folded, self.key.weight) / math.sqrt(d_v // heads)
        scores = F.linear(x, folded.reshape(-1, d_v).to(x.dtype))  # (B, T, heads·m)
        return scores.transpose(1, 2).unflatten(1, (heads, -1)).softmax(-1)

    def _mix(self, x: Tensor, weights: Tensor) -> Tensor:
        """Weighted values, projected: (B, m, d_v)."""
        heads, d_v = self.attention.num_heads, x.shape[-1]
        batch, _, count, length = weights.shape
        mixed = torch.matmul(weights.reshape(batch, heads * count, length).to(x.dtype), x)  # (B, heads·m, d_v)
        mixed = mixed.view(batch, heads, count, d_v).transpose(0, 1).reshape(heads, batch * count, d_v)
        _, _, w_v = self.attention.in_proj_weight.chunk(3)
        _, _, b_v = self.attention.in_proj_bias.chunk(3)
        per_head = torch.matmul(w_v, self.value.weight).view(heads, d_v // heads, d_v).transpose(1, 2)
        bias = (torch.mv(w_v, self.value.bias) + b_v).view(heads, 1, d_v // heads)
        value = torch.matmul(mixed, per_head.to(mixed.dtype)) + bias  # (heads, B·m, d)
        value = value.view(heads, batch, count, -1).permute(1, 2, 0, 3).reshape(batch, count, d_v)
        return self.attention.out_proj(value)


class PoolingAdapter(nn.Module):
    """Control for the learned queries: mean pooling over an m-cell grid of the image, then the local adapter."""

    def __init__(self, d_v: int, width: int, tokens: int, hidden: int = 8192) -> None:
        super().__init__()
        rows = next(r for r in range(math.isqrt(tokens), 0, -1) if tokens % r == 0)
        self.grid = (rows, tokens // rows)
        self.local = LocalAdapter(d_v, width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """(B, side², d_v) → (B, m, width).

        Raises:
            ValueError: the tokens are not a square grid.
        """
        side = math.isqrt(x.shape[1])
        if side * side != x.shape[1]:
            raise ValueError(f"mean pooling needs a square grid of tokens, got {x.shape[1]}")
        grid = x.transpose(1, 2).unflatten(2, (side, side))
        return self.local(F.adaptive_avg_pool2d(grid, self.grid).flatten(2).transpose(1, 2))
