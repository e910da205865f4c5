"""Gates against their formulas, and hard gates' behaviour in training and evaluation."""

import pytest
import torch
from torch.nn import functional as F

from compactvl.studies.gating.gates import Gate, build_gate

D = 6
ONE = torch.tensor(1.0)


def inputs():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 5, D, generator=generator), torch.randn(2, 5, D, generator=generator)


@pytest.mark.parametrize("per_feature", [True, False])
def test_soft_gate_is_the_formula(per_feature):
    torch.manual_seed(0)
    gate = Gate(D, hard=False, per_feature=per_feature, dropout=0.0, stays_random=False).eval()
    h, c = inputs()
    mixed, g = gate(h, c, ONE)
    expected = torch.empty_like(h)
    for b in range(2):
        for t in range(5):
            both = torch.cat([h[b, t], c[b, t]])
            own = 1 / (1 + torch.exp(-(gate.choose.weight @ both + gate.choose.bias)))
            assert torch.allclose(g[b, t], own, atol=1e-6)
            x = own * h[b, t] + (1 - own) * c[b, t]
            expected[b, t] = (x - x.mean()) / torch.sqrt(x.var(correction=0) + 1e-5)
    assert torch.allclose(mixed, expected, atol=1e-5)
    assert g.shape == (2, 5, D if per_feature else 1)


def test_closed_and_open_soft_gates_show_one_side():
    gate = Gate(D, hard=False, per_feature=True, dropout=0.0, stays_random=False).eval()
    h, c = inputs()
    torch.nn.init.zeros_(gate.choose.weight)
    for bias, side in ((100.0, h), (-100.0, c)):
        torch.nn.init.constant_(gate.choose.bias, bias)
        assert torch.allclose(gate(h, c, ONE)[0], gate.norm(side), atol=1e-6)


@pytest.mark.parametrize("per_feature", [True, False])
def test_hard_gate_takes_the_argmax_in_evaluation(per_feature):
    torch.manual_seed(0)
    gate = Gate(D, hard=True, per_feature=per_feature, dropout=0.0, stays_random=False).eval()
    h, c = inputs()
    g = gate(h, c, ONE)[1]
    pairs = gate.choose(torch.cat([h, c], -1)).unflatten(-1, (-1, 2))
    assert torch.equal(g, (pairs.argmax(-1) == 0).float())
    assert torch.equal(g, gate(h, c, ONE)[1])


def test_hard_gate_samples_softly_in_training_and_sharper_when_cold():
    torch.manual_seed(0)
    gate = Gate(64, hard=True, per_feature=True, dropout=0.0, stays_random=False).train()
    h, c = torch.randn(2, 5, 64), torch.randn(2, 5, 64)
    warm, cold = gate(h, c, torch.tensor(1.0))[1], gate(h, c, torch.tensor(0.1))[1]
    assert ((warm > 0) & (warm < 1)).all()
    assert (cold - cold.round()).abs().mean() < 0.5 * (warm - warm.round()).abs().mean()


def test_hard_gate_in_training_is_torchs_gumbel_softmax():
    gate = Gate(D, hard=True, per_feature=True, dropout=0.0, stays_random=False).train()
    h, c = inputs()
    torch.manual_seed(7)
    g = gate(h, c, torch.tensor(0.5))[1]
    torch.manual_seed(7)
    logits = gate.choose(torch.cat([h, c], -1)).view(2, 5, D, 2)
    assert torch.allclose(g, F.gumbel_softmax(logits, tau=0.5)[..., 0], atol=1e-6)


def test_released_hard_gates_draw_one_of_the_two_in_evaluation():
    torch.manual_seed(0)
    gate = Gate(D, hard=True, per_feature=True, dropout=0.0, stays_random=True).eval()
    h, c = inputs()
    with torch.inference_mode():
        drawn = torch.stack([gate(h, c, torch.tensor(0.7))[1] for _ in range(3000)])
        pairs = gate.choose(torch.cat([h, c], -1)).unflatten(-1, (-1, 2))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    # By the Gumbel-max rule each side comes as often as softmax says, whatever the temperature.
    assert (drawn.mean(0) - pairs.softmax(-1)[..., 0]).abs().max() < 0.05


def test_hard_gates_are_random_in_evaluation_only_as_released():
    torch.manual_seed(0)
    h, c = inputs()
    paper, released = (Gate(D, hard=True, per_feature=True, dropout=0.0, stays_random=r).eval() for r in (False, True))
    assert torch.equal(paper(h, c, ONE)[1], paper(h, c, ONE)[1])
    assert not torch.equal(released(h, c, ONE)[1], released(h, c, ONE)[1])


def test_no_gate_is_nothing():
    assert build_gate("none", D, 0.1, False) is None


def test_without_a_gate_the_image_is_added(build, tokens, vectors):
    model = build(gate="none", shape={"layers": 1})
    layer = model.layers[0]
    x = model.embed(tokens)
    seen = model.see(vectors, tokens, x)
    bias = torch.full((7, 7), float("-inf")).triu(1)
    y = x + layer.self_attention(layer.norm_1(x), bias=bias)
    y = y + layer.cross_attention(layer.norm_2(y), seen.vectors)
    y = y + layer.down(F.gelu(layer.up(layer.norm_3(y))))
    assert torch.allclose(model(tokens, vectors).states[tokens.mask], y[tokens.mask], atol=1e-5)
