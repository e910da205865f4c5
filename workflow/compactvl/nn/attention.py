"""Scaled dot-product attention that is fast on the device it runs on."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return softmax(Q Kᵀ / √d + bias) V.

    On the CPU in bf16 the backward of ``scaled_dot_product_attention`` is several times slower than two plain
    batched products and a softmax, so those are used there; elsewhere the fused kernel is.

    Args:
        query: (..., L, d).
        key: (..., S, d).
        value: (..., S, d).
        bias: additive, broadcastable to (..., L, S): 0 where a key may be seen, large and negative where not.

    Returns:
        (..., L, d) in ``value``'s dtype.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
    scores = torch.matmul(query * (1.0 / math.sqrt(query.shape[-1])), key.transpose(-1, -2))
    if bias is not None:
        scores = scores + bias.to(scores.dtype)
    return torch.matmul(scores.softmax(-1).to(value.dtype), value)
