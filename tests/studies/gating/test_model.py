"""The decoder: what sees what, against library layers and brute force."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compactvl.studies.gating.image_encoder import ImageEncoder
from compactvl.studies.gating.model import masked_mean, next_token_loss, prefix_mean
from compactvl.studies.gating.modulation import ChannelAttention, DyIntra, Film
from compactvl.studies.gating.settings import Image, Shape
from compactvl.text.batches import TokenBatch

GATES = ["soft_feature", "soft_token", "hard_feature", "hard_token", "none"]
MODULATIONS = [
    {"kind": kind, "place": place} for kind in ("film", "dyintra") for place in ("text", "cross_attention", "image")
]


def states(model, rows, vectors=None):
    with torch.inference_mode():
        return model(TokenBatch.of(rows, pad=3), vectors).states


@pytest.mark.parametrize("modulation", [None, *MODULATIONS], ids=lambda m: m and f"{m['kind']} on {m['place']}")
@pytest.mark.parametrize("gate", ["soft_feature", "hard_token", "none"])
def test_later_words_and_padding_change_nothing_before_them(build, vectors, gate, modulation):
    model = build(gate=gate, modulation=modulation)
    long, changed, cut = [2, 5, 6, 7, 8, 1], [2, 5, 6, 40, 41, 42], [2, 5, 6]
    whole = states(model, [long], vectors[:1])[:, :3]
    assert torch.allclose(whole, states(model, [changed], vectors[:1])[:, :3], atol=1e-5)
    assert torch.allclose(whole, states(model, [cut], vectors[:1]), atol=1e-5)
    assert torch.allclose(whole, states(model, [cut, long], vectors[:2].clone().copy_(vectors[:1]))[:1, :3], atol=1e-5)


def test_released_on_image_modulation_leaks_later_words(build, vectors):
    model = build(modulation={"kind": "film", "place": "image"}, modes={"image_conditioning": "released"})
    a, b = states(model, [[2, 5, 6, 7]], vectors[:1]), states(model, [[2, 5, 6, 40]], vectors[:1])
    assert not torch.allclose(a[:, :3], b[:, :3], atol=1e-4)


def test_leak_free_on_image_modulation_is_a_loop_over_prefixes(build, tokens, vectors):
    model = build(modulation={"kind": "film", "place": "image"})
    with torch.inference_mode():
        embedded = model.embed(tokens)
        seen = model.see(vectors, tokens, embedded)
        for b in range(3):
            for t in range(int(tokens.mask[b].sum())):
                condition = embedded[b, : t + 1].mean(0)
                own = model.image_encoder(vectors[[b]], lambda x, c=condition: model.image_modulation(x, c))
                assert torch.allclose(seen.vectors[b, t], own[0, 0], atol=1e-5)
    assert seen.aligned


def test_released_dyintra_on_the_image_does_nothing(build, tokens, vectors):
    modulation = {"kind": "dyintra", "place": "image"}
    plain = build()
    for mode, same in (("released", True), ("paper", False)):
        model = build(modulation=modulation, modes={"dyintra_image": mode, "image_conditioning": "released"})
        model.image_encoder.load_state_dict(plain.image_encoder.state_dict())
        with torch.inference_mode():
            embedded = model.embed(tokens)
            seen = model.see(vectors, tokens, embedded).vectors
            assert torch.allclose(seen, plain.image_encoder(vectors), atol=1e-6) is same


def test_released_film_on_the_image_pools_the_words_that_are_there(build, tokens, vectors):
    model = build(modulation={"kind": "film", "place": "image"}, modes={"image_conditioning": "released"})
    with torch.inference_mode():
        embedded = model.embed(tokens)
        seen = model.see(vectors, tokens, embedded).vectors
        for b, count in enumerate((7, 4, 5)):
            condition = embedded[b, :count].mean(0)
            own = model.image_encoder(vectors[[b]], lambda x, c=condition: model.image_modulation(x, c))
            assert torch.allclose(seen[b], own[0], atol=1e-5)


def test_text_alone_touches_neither_image_nor_gate(build, tokens):
    model = build().train()
    next_token_loss(model, model(tokens), tokens)[0].backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None}
    untouched = ("image_encoder", "cross_attention", "gate", "norm_2")
    assert not [name for name in touched if any(part in name for part in untouched)]
    assert {"words.weight", "output.bias", "layers.1.down.weight"} <= touched


def test_another_image_changes_every_prediction(build, tokens, vectors):
    model = build()
    with torch.inference_mode():
        a, b = model(tokens, vectors).states, model(tokens, vectors.flip(0)).states
    # The second text keeps its image; the first and the third exchange theirs.
    assert torch.allclose(a[1], b[1], atol=1e-5)
    for row in (0, 2):
        assert not torch.isclose(a[row], b[row], atol=1e-5).all(-1)[tokens.mask[row]].any()


@pytest.mark.parametrize("gate", GATES)
def test_gates_are_reported_for_every_layer(build, tokens, vectors, gate):
    hidden = build(gate=gate)(tokens, vectors)
    if gate == "none":
        assert hidden.gates == [None, None]
    else:
        width = 32 if gate.endswith("feature") else 1
        assert [tuple(g.shape) for g in hidden.gates] == [(3, 7, width)] * 2
        assert all(((g >= 0) & (g <= 1)).all() for g in hidden.gates)


@pytest.mark.parametrize("count", [1, 6])
def test_image_encoder_is_torchs_post_norm_encoder(count):
    torch.manual_seed(0)
    shape = Shape(width=32, heads=4, feedforward=48, dropout=0.0)
    own = ImageEncoder(Image(width=12, layers=2), shape).eval()
    layer = nn.TransformerEncoderLayer(32, 4, 48, 0.0, "gelu", batch_first=True)
    torchs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).eval()
    with torch.no_grad():
        for mine, theirs in zip(own.layers, torchs.layers, strict=True):
            theirs.self_attn.in_proj_weight.copy_(mine.attention.inner.weight)
            theirs.self_attn.in_proj_bias.copy_(mine.attention.inner.bias)
            theirs.self_attn.out_proj.load_state_dict(mine.attention.outer.state_dict())
            theirs.linear1.load_state_dict(mine.up.state_dict())
            theirs.linear2.load_state_dict(mine.down.state_dict())
    x = torch.randn(3, count, 12)
    assert torch.allclose(own(x), torchs(own.project(x)), atol=1e-5)


def test_patches_are_attended_to(build, tokens):
    model = build(image={"input": "patches"})
    patches = torch.randn(3, 9, 12)
    with torch.inference_mode():
        a = model(tokens, patches).states
        shuffled = model(tokens, patches[:, torch.randperm(9)]).states
        other = model(tokens, torch.randn(3, 9, 12)).states
    # The image encoder has no positions: patches are a set.
    assert torch.allclose(a, shuffled, atol=1e-5)
    assert not torch.allclose(a, other, atol=1e-3)


def test_embedding_is_scaled_words_plus_positions(build, tokens):
    model = build()
    row = model.words.weight[tokens.ids[0]] * 32**0.5 + model.positions.weight[:7]
    assert torch.allclose(model.embed(tokens)[0], F.layer_norm(row, (32,)), atol=1e-6)


def test_modulations_by_hand():
    torch.manual_seed(0)
    x, condition = torch.randn(2, 3, 4), torch.randn(2, 1, 4)
    film, intra, channels = Film(4), DyIntra(4), ChannelAttention(4, 2)
    gamma, beta = condition @ film.gamma.weight.T + film.gamma.bias, condition @ film.beta.weight.T + film.beta.bias
    assert torch.allclose(film(x, condition), gamma * x + beta, atol=1e-6)
    scale = 1 / (1 + torch.exp(-(condition @ intra.weight.weight.T + intra.weight.bias)))
    assert torch.allclose(intra(x, condition), x + x * scale, atol=1e-6)
    squeezed = (x.mean(1) @ channels.squeeze.weight.T + channels.squeeze.bias).clamp(min=0)
    excited = 1 / (1 + torch.exp(-(squeezed @ channels.excite.weight.T + channels.excite.bias)))
    assert torch.allclose(channels(x), x * excited[:, None], atol=1e-6)


def test_means_by_loop(tokens):
    x = torch.randn(3, 7, 4)
    for b, count in enumerate((7, 4, 5)):
        assert torch.allclose(masked_mean(x, tokens.mask)[b], x[b, :count].mean(0), atol=1e-6)
        for t in range(7):
            assert torch.allclose(prefix_mean(x)[b, t], x[b, : t + 1].mean(0), atol=1e-6)


def test_loss_is_the_mean_over_the_words_that_are_there(build, tokens):
    model = build()
    with torch.inference_mode():
        hidden = model(tokens)
        loss, count = next_token_loss(model, hidden, tokens)
        logs = model.output(hidden.states).log_softmax(-1)
    terms = [-logs[b, t, tokens.ids[b, t + 1]] for b, length in enumerate((7, 4, 5)) for t in range(length - 1)]
    assert count == len(terms) == 13
    assert torch.allclose(loss, torch.stack(terms).mean(), atol=1e-5)


def test_released_ignore_index_leaves_out_token_0(build, tokens):
    paper, released = build(), build(modes={"ignore_index": "released"})
    with torch.inference_mode():
        assert next_token_loss(paper, paper(tokens), tokens)[1] == 13
        loss, count = next_token_loss(released, released(tokens), tokens)
        logits = released.logits(released(tokens).states[:, :-1])
    assert count == 11
    targets = tokens.ids[:, 1:].masked_fill(~tokens.mask[:, 1:], 0)
    assert torch.allclose(loss, F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0), atol=1e-5)


def test_temperature_is_in_the_checkpoint_unless_released(build):
    for mode, kept in (("paper", 0.25), ("released", 1.0)):
        model = build(gate="hard_feature", modes={"temperature": mode})
        model.temperature.fill_(0.25)
        again = build(gate="hard_feature", modes={"temperature": mode})
        again.load_state_dict(model.state_dict())
        assert float(again.temperature) == kept


def test_released_lcg_ties_the_output_and_shows_the_first_layer_no_image(build, tokens, vectors):
    model = build(auxiliary={"lcg": 0.3}, modes={"lcg": "released"})
    seen, blind = model(tokens, vectors), model(tokens)
    assert torch.equal(seen.gates[0], torch.ones_like(seen.gates[0]))
    assert not torch.allclose(seen.states, blind.states)
    first = model.layers[0]
    bias = torch.full((7, 7), float("-inf")).triu(1)
    x = model.embed(tokens)
    x = x + first.self_attention(first.norm_1(x), bias=bias)
    x = x + first.down(F.gelu(first.up(first.norm_3(x))))
    expected, _ = model.layers[1](x, bias, seen.seen, model.temperature)
    assert torch.allclose(seen.states[tokens.mask], expected[tokens.mask], atol=1e-5)
    for b, t in ((0, 3), (2, 1)):
        by_word = torch.stack([model.words.weight[w] @ seen.states[b, t] for w in range(model.vocabulary)])
        assert torch.allclose(model.logits(seen.states)[b, t], by_word + model.output_bias, atol=1e-4)
    # Without the loss the mode changes nothing.
    assert build(modes={"lcg": "released"}).output is not None


def test_released_feed_forward_drops_out_twice(build):
    drop, count = 0.4, 40_000
    kept = {}
    for mode in ("paper", "released"):
        layer = build(modes={"feedforward": mode}, shape={"dropout": drop, "layers": 1}).layers[0].train()
        torch.nn.init.zeros_(layer.down.weight)
        torch.nn.init.ones_(layer.down.bias)
        torch.nn.init.zeros_(layer.self_attention.outer.weight)
        x = torch.zeros(1, count // 32, 32)
        out, _ = layer(x, torch.zeros(1, 1), None, torch.tensor(1.0))
        kept[mode] = (out != 0).float().mean().item()
        assert out.mean().item() == pytest.approx(1.0, abs=0.02)
    assert kept["paper"] == pytest.approx(1 - drop, abs=0.01)
    assert kept["released"] == pytest.approx((1 - drop) ** 2, abs=0.01)


@pytest.mark.parametrize(("mode", "alike"), [("paper", False), ("released", True)])
def test_released_image_layers_begin_alike_and_are_trained_apart(build, tokens, vectors, mode, alike):
    model = build(modes={"image_layers": mode}, image={"layers": 3})
    first, *others = model.image_encoder.layers
    for layer in others:
        own = zip(layer.parameters(), first.parameters(), strict=True)
        assert all(torch.equal(a, b) and a is not b for a, b in own) is alike
    next_token_loss(model, model(tokens, vectors), tokens)[0].backward()
    assert not torch.equal(first.up.weight.grad, others[0].up.weight.grad)
