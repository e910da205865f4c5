"""Multi-head attention against torch's own."""

import pytest
import torch
from torch import nn

from compactvl.nn.attention import attention_scores
from compactvl.nn.multihead import MultiHeadAttention


def pair(width: int = 24, heads: int = 4) -> tuple[MultiHeadAttention, nn.MultiheadAttention]:
    torch.manual_seed(0)
    own, torchs = MultiHeadAttention(width, heads), nn.MultiheadAttention(width, heads, batch_first=True)
    nn.init.normal_(own.inner.bias)
    nn.init.normal_(own.outer.bias)
    with torch.no_grad():
        torchs.in_proj_weight.copy_(own.inner.weight)
        torchs.in_proj_bias.copy_(own.inner.bias)
        torchs.out_proj.weight.copy_(own.outer.weight)
        torchs.out_proj.bias.copy_(own.outer.bias)
    return own.eval(), torchs.eval()


def test_has_torchs_number_of_parameters():
    own, torchs = pair()
    assert sum(p.numel() for p in own.parameters()) == sum(p.numel() for p in torchs.parameters())


def test_causal_self_attention():
    own, torchs = pair()
    x = torch.randn(3, 7, 24)
    bias = torch.full((7, 7), float("-inf")).triu(1)
    assert torch.allclose(own(x, bias=bias), torchs(x, x, x, attn_mask=bias)[0], atol=1e-5)


@pytest.mark.parametrize("keys", [1, 5])
def test_cross_attention(keys):
    own, torchs = pair()
    x, source = torch.randn(3, 7, 24), torch.randn(3, keys, 24)
    assert torch.allclose(own(x, source), torchs(x, source, source)[0], atol=1e-5)


@pytest.mark.parametrize("keys", [None, 1, 5])
def test_queries_and_keys_give_torchs_weights(keys):
    own, torchs = pair()
    x = torch.randn(3, 7, 24)
    source = None if keys is None else torch.randn(3, keys, 24)
    other = x if source is None else source
    bias, kept = torch.randn(7, other.shape[1]), []
    mixed, weights = torchs(x, other, other, attn_mask=bias, average_attn_weights=False)
    assert torch.allclose(own(x, source, bias, keep=kept), mixed, atol=1e-5)
    ((query, key),) = kept
    assert torch.allclose(attention_scores(query, key, bias).softmax(-1), weights, atol=1e-5)


def test_aligned_keys_are_seen_by_their_own_query_only():
    own, torchs = pair()
    x, source = torch.randn(2, 4, 24), torch.randn(2, 4, 24)
    expected = torch.cat([torchs(x[:, [i]], source[:, [i]], source[:, [i]])[0] for i in range(4)], dim=1)
    assert torch.allclose(own(x, source, aligned=True), expected, atol=1e-5)


def test_dropout_of_the_only_key_drops_whole_heads():
    torch.manual_seed(0)
    attention = MultiHeadAttention(24, 4, dropout=0.5).train()
    nn.init.eye_(attention.outer.weight)
    x, source = torch.randn(2, 50, 24), torch.randn(2, 1, 24)
    value = source @ attention.inner.weight[48:].T
    ratio = (attention(x, source) / value).unflatten(-1, (4, 6))
    assert torch.allclose(ratio, ratio[..., :1].expand_as(ratio), atol=1e-4)
    assert set(ratio[..., 0].round(decimals=3).unique().tolist()) == {0.0, 2.0}
