"""Scaled dot-product attention that is fast on the device it runs on."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def attention_scores(query: Tensor, key: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return Q Kᵀ / √d + bias, (..., L, S): what softmax over the last dimension turns into attention weights.

    Args:
        query: (..., L, d).
        key: (..., S, d).
        bias: additive, broadcastable to (..., L, S).
    """
    scores = torch.matmul(query * (1.0 / math.sqrt(query.shape[-1])), key.transpose(-1, -2))
    return scores if bias is None else scores + bias.to(scores.dtype)


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None, dropout: float = 0.0) -> Tensor:
    """Return softmax(Q Kᵀ / √d + bias) V.

    On the CPU in bf16 the backward of ``scaled_dot_product_attention`` is several times slower than two plain
    batched products and a softmax, so those are used there; elsewhere the fused kernel is.

    Args:
        query: (..., L, d).
        key: (..., S, d).
        value: (..., S, d).
        bias: additive, broadcastable to (..., L, S): 0 where a key may be seen, large and negative where not.
        dropout: probability of dropping an attention weight.

    Returns:
        (..., L, d) in ``value``'s dtype.
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
    weights = attention_scores(query, key, bias).softmax(-1)
    if dropout:
        weights = F.dropout(weights, dropout)
    return torch.matmul(weights.to(value.dtype), value)
