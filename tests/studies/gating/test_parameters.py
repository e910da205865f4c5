"""Parameter counts at paper size, against the paper page's table and closed forms."""

from types import SimpleNamespace

import pytest
import torch

from compactvl.studies.gating.model import GatedDecoder, next_token_loss
from compactvl.studies.gating.parameters import count_parameters
from compactvl.studies.gating.settings import Decoder, Tokenizer
from compactvl.text.batches import TokenBatch

GPT2 = Tokenizer(kind="tokenizer", pretrained="openai-community/gpt2")
PEERS = {"gpt2": GPT2}


def paper(**changes) -> Decoder:
    return Decoder(kind="decoder", tokenizer="gpt2", texts=["babylm"], captions=["cc3m"], **changes)


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        ({}, 198_449_236),
        ({"gate": "soft_token"}, 189_018_204),
        ({"gate": "hard_feature"}, 207_892_564),
        ({"gate": "hard_token"}, 189_030_500),
        ({"gate": "none"}, 188_993_620),
        ({"image": {"layers": 0}}, 163_009_876),
        ({"auxiliary": {"lcg": 0.3}, "modes": {"lcg": "released"}}, 161_029_205),
    ],
)
def test_totals_are_the_papers(changes, total):
    assert sum(number for _, number in count_parameters(paper(**changes), PEERS)) == total


def test_parts_by_closed_form():
    d, f, v, layers = 768, 3072, 50_260, 8
    linear = lambda a, b: a * b + b  # noqa: E731
    parts = dict(
        count_parameters(paper(modulation={"kind": "film", "place": "text"}, auxiliary={"clip": 1, "lcg": 0.3}), PEERS)
    )
    assert parts == {
        "text embedding": v * d + 128 * d + 2 * d,
        "image encoder": linear(d, d) + 5 * (4 * linear(d, d) + linear(d, f) + linear(f, d) + 4 * d),
        "self-attention": layers * 4 * linear(d, d),
        "cross-attention": layers * 4 * linear(d, d),
        "gates": layers * (linear(2 * d, d) + 2 * d),
        "modulation": layers * 2 * linear(d, d),
        "norms and feed-forward": layers * (3 * 2 * d + linear(d, f) + linear(f, d)),
        "output": linear(d, v),
        "auxiliary losses": (2 * linear(d, d) + 1) + (2 * d * d + 1),
    }


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"gate": "hard_token", "image": {"channel_attention": True}},
        {"gate": "none", "image": {"layers": 0}},
        {"modulation": {"kind": "film", "place": "text"}, "auxiliary": {"clip": 1, "lcg": 0.3}},
        {"modulation": {"kind": "dyintra", "place": "image"}},
        {"auxiliary": {"lcg": 0.3}, "modes": {"lcg": "released"}},
    ],
)
def test_the_images_side_is_what_texts_do_not_reach(build, tokens, changes):
    model = build(**changes)
    next_token_loss(model, model(tokens), tokens)[0].backward()
    unreached = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    own = {id(parameter) for parameter in model.image_side()}
    assert {name for name, parameter in model.named_parameters() if id(parameter) in own} == unreached


def test_channel_attention_adds_squeeze_and_excitation_of_48():
    plain, with_it = (
        sum(n for _, n in count_parameters(paper(image={"channel_attention": on}), PEERS)) for on in (False, True)
    )
    assert with_it - plain == (768 * 48 + 48) + (48 * 768 + 768)


def test_counts_are_those_of_the_model_that_is_trained(build):
    model = build(gate="hard_token", modulation={"kind": "dyintra", "place": "cross_attention"})
    peers = {"bpe": SimpleNamespace(pretrained=None, vocabulary=model.vocabulary)}
    assert sum(n for _, n in count_parameters(model.settings, peers)) == sum(p.numel() for p in model.parameters())


def test_variants_without_gradient_have_none():
    assert count_parameters(GPT2, PEERS) == []


@pytest.mark.parametrize("gate", ["soft_feature", "soft_token", "hard_feature", "hard_token", "none"])
def test_paper_width_one_layer_takes_a_training_step(gate):
    """Full width and vocabulary; one layer of each kind, so that it fits a small machine."""
    settings = paper(gate=gate, shape={"layers": 1}, image={"layers": 1})
    torch.manual_seed(0)
    model = GatedDecoder(settings, 50_260)
    tokens = TokenBatch.of([[50_259, 1212, 318, 50_258], [50_259, 40, 50_258]], pad=50_257)
    loss, count = next_token_loss(model, model(tokens, torch.randn(2, 1, 768)), tokens)
    loss.backward()
    assert count == 5
    assert torch.isfinite(loss)
    idle = [name for name, p in model.named_parameters() if p.grad is None]
    # One image token has weight 1 whatever asks for it: without a gate nothing reads the text's side.
    assert idle == (["layers.0.norm_2.weight", "layers.0.norm_2.bias"] if gate == "none" else [])
