import math

import pytest
import torch
from torch.nn import functional as F

from compactvl.nn.adapters import CompressionAdapter, LocalAdapter, PoolingAdapter


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("d_v", "heads", "tokens", "expected"),
    # d_v·m + 2(d²+d) + (4d²+4d) + 2d + 2·8192·d + 8192 + d + 384·d + 384, and the page's figures in millions.
    [
        (1024, 16, 32, 23.51),
        (1024, 16, 64, 23.55),
        (1024, 16, 128, 23.61),
        (1024, 16, 256, 23.74),
        (768, 12, 64, 16.48),
    ],
)
def test_compression_adapter_has_the_papers_parameters(d_v, heads, tokens, expected):
    with torch.device("meta"):
        count = parameters(CompressionAdapter(d_v, 384, tokens, heads))
    attention = 6 * (d_v * d_v + d_v)
    mlp = 2 * d_v + 2 * 8192 * d_v + 8192 + d_v
    assert count == tokens * d_v + attention + mlp + 384 * d_v + 384
    assert round(count / 1e6, 2) == expected


@pytest.mark.parametrize(("d_v", "expected"), [(1024, 11.54), (768, 9.45)])
def test_local_adapter_has_the_papers_parameters(d_v, expected):
    with torch.device("meta"):
        count = parameters(LocalAdapter(d_v, 384))
    assert count == d_v * 8192 + 8192 + 8192 * 384 + 384
    assert round(count / 1e6, 2) == expected


def by_hand(adapter, x):
    """The paper's formula, head by head, with nothing folded."""
    batch, _, d_v = x.shape
    heads = adapter.attention.num_heads
    d = d_v // heads
    w_q, w_k, w_v = adapter.attention.in_proj_weight.chunk(3)
    b_q, b_k, b_v = adapter.attention.in_proj_bias.chunk(3)
    query = F.linear(adapter.query.expand(batch, -1, -1), w_q, b_q)
    key = F.linear(adapter.key(x), w_k, b_k)
    value = F.linear(adapter.value(x), w_v, b_v)
    outputs, maps = [], []
    for head in range(heads):
        part = slice(head * d, (head + 1) * d)
        weights = (query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(d)).softmax(-1)
        maps.append(weights)
        outputs.append(weights @ value[..., part])
    h = adapter.attention.out_proj(torch.cat(outputs, dim=-1))
    normed = (h - h.mean(-1, keepdim=True)) / (h.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()
    h = h + adapter.down(F.gelu(adapter.up(normed * adapter.norm.weight + adapter.norm.bias)))
    return adapter.out(h), torch.stack(maps).mean(0)


@pytest.fixture
def adapter():
    torch.manual_seed(0)
    module = CompressionAdapter(48, 24, tokens=5, heads=3, hidden=64)
    torch.nn.init.normal_(module.attention.in_proj_bias)
    return module


def test_compression_adapter_equals_hand_written_attention(adapter):
    x = torch.randn(4, 9, 48)
    expected, maps = by_hand(adapter, x)
    torch.testing.assert_close(adapter(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(adapter.maps(x), maps, atol=1e-6, rtol=1e-5)


def test_compression_adapter_equals_torch_multihead_attention(adapter):
    x = torch.randn(2, 9, 48)
    h, _ = adapter.attention(adapter.query.expand(2, -1, -1), adapter.key(x), adapter.value(x))
    expected = adapter.out(h + adapter.down(F.gelu(adapter.up(adapter.norm(h)))))
    torch.testing.assert_close(adapter(x), expected, atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_the_unfolded_form(adapter):
    x = torch.randn(3, 9, 48)
    weights = list(adapter.parameters())
    # The keys' bias takes no part in the folded form; in the other its gradient is 0 up to rounding.
    got = torch.autograd.grad(adapter(x).square().sum(), weights, allow_unused=True, materialize_grads=True)
    expected = torch.autograd.grad(by_hand(adapter, x)[0].square().sum(), weights)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_mean_pooling_averages_cells_of_the_grid():
    adapter = PoolingAdapter(8, 4, tokens=4, hidden=16)
    x = torch.randn(2, 16, 8)
    grid = x.view(2, 2, 2, 2, 2, 8).mean((2, 4)).view(2, 4, 8)
    torch.testing.assert_close(adapter(x), adapter.local(grid))
    with pytest.raises(ValueError, match="square grid"):
        adapter(torch.randn(2, 12, 8))
