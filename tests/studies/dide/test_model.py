"""Sizes of DiDE's models, and what each part computes."""

import pytest
import torch
from transformers import ViltConfig, ViltModel

from compactvl.studies.dide.build import adopt, decays, groups, sine_grid
from compactvl.studies.dide.images import ImageBatch
from compactvl.studies.dide.model import Attended, DualEncoder, FusionEncoder, ShallowFusion
from compactvl.studies.dide.parameters import count, count_parameters
from compactvl.studies.dide.settings import Dual, Fusion, Optimiser
from compactvl.text.batches import TokenBatch
from compactvl.training.optim import build_adamw

PUBLISHED = {"trunk": {"weights": "w"}, "images": {"input": "pixels"}, "dataset": "d", "optimiser": {"steps": 1}}
VQA = PUBLISHED | {"answers": 3129}
ONLY_HARD = {"hard": 1, "soft": 0, "attention": {"weight": 0}}


def published(kind: type, **changed: object) -> Fusion | Dual:
    named = {"kind": "fusion"} if kind is Fusion else {"kind": "dual", "losses": ONLY_HARD}
    return kind(**(VQA | named | changed))


def vilt_parameters() -> int:
    """Of transformers' ViLT with its pooler, and one further row for a second image."""
    with torch.device("meta"):
        return count(ViltModel(ViltConfig())) + 768


def test_the_published_sizes() -> None:
    parts = dict(count_parameters(published(Fusion), {}))
    assert parts["fusion encoder"] == vilt_parameters()
    assert parts["head"] == (768 * 1536 + 1536) + 2 * 1536 + (1536 * 3129 + 3129)
    dual = dict(count_parameters(published(Dual), {}))
    assert dual["shallow fusion"] == 3_544_320
    words, patches = 30522 * 768 + 40 * 768 + 2 * 768 + 2 * 768, 3 * 32 * 32 * 768 + 768 + 768 + 145 * 768
    assert dual["text tower"] == vilt_parameters() - patches
    assert dual["image tower"] == vilt_parameters() - words


@pytest.mark.parametrize(
    ("answers", "pair", "expected"),
    [
        (3, False, (768 * 1536 + 1536) + 2 * 1536 + (1536 * 3 + 3)),
        (2, True, (1536 * 1536 + 1536) + 2 * 1536 + (1536 * 2 + 2)),
    ],
)
def test_heads_of_the_other_tasks(answers: int, pair: bool, expected: int) -> None:
    parts = dict(count_parameters(published(Dual, answers=answers, image_pair=pair), {}))
    assert parts["head"] == expected


def test_all_pairs_are_each_pair() -> None:
    torch.manual_seed(0)
    fusion, texts, images = ShallowFusion(6), torch.randn(3, 6), torch.randn(4, 6)
    every = fusion.all_pairs(texts, images)
    for t in range(3):
        for i in range(4):
            torch.testing.assert_close(every[t, i], fusion(texts[t : t + 1], images[i : i + 1])[0])


def batch(items: int = 3) -> tuple[TokenBatch, list[ImageBatch]]:
    torch.manual_seed(0)
    texts = TokenBatch.of([[2, 7, 8, 3], [2, 9, 3], [2, 5, 6, 8, 13, 3]][:items])
    return texts, [ImageBatch(torch.randn(items, 16, 12))]


def test_a_student_keeps_what_its_towers_compute(small) -> None:
    model = DualEncoder(small()["dual"], 2).eval()
    (texts, images), attended = batch(), Attended([0, 1])
    rows = torch.tensor([0, 0, 2])
    plain, watched = model(texts, images, rows), model(texts, images, rows, attended)
    torch.testing.assert_close(plain, watched)
    query, key = attended.text[0][1]
    assert query.shape == key.shape == (3, 1, 6, 32)
    query, key = attended.image[0][1]
    assert query.shape == (3, 1, 1 + 4, 32)
    assert torch.equal(query[0], query[1])
    assert not torch.equal(query[0], query[2])
    assert attended.there[0].all()


def test_a_teacher_keeps_the_text_before_the_image(small) -> None:
    model = FusionEncoder(small()["teacher"], 2).eval()
    (texts, images), attended = batch(), Attended([1])
    plain = model(texts, images)
    torch.testing.assert_close(plain, model(texts, images, None, attended))
    assert attended.text[0][1][0].shape == (3, 1, 6, 32)
    assert attended.image[0][1][0].shape == (3, 1, 5, 32)
    # The image's queries depend on the text in the second layer, the first layer's do not.
    other, again = TokenBatch.of([[2, 10, 3], [2, 9, 3], [2, 3]]), Attended([0, 1])
    first = Attended([0])
    model(texts, images, None, first)
    model(other, images, None, again)
    torch.testing.assert_close(first.image[0][0][0], again.image[0][0][0])
    assert not torch.allclose(attended.image[0][1][0], again.image[0][1][0], atol=1e-4)


def test_the_second_image_of_an_item_is_marked(small) -> None:
    model = DualEncoder(small()["pair_dual"], 2).eval()
    _, (images,) = batch()
    (first, _), (second, _) = model.image_features(images, 0), model.image_features(images, 1)
    assert not torch.allclose(first, second, atol=1e-5)


def test_a_blind_encoder_sees_no_patch(small) -> None:
    model = FusionEncoder(small()["blind"], 2).eval()
    texts, images = batch()
    torch.testing.assert_close(model(texts, images), model(texts, [ImageBatch(torch.randn(3, 16, 12))]))


def test_the_mean_is_over_what_is_there(small) -> None:
    known = small()["hard"]
    settings = known.model_copy(update={"trunk": known.trunk.model_copy(update={"pooling": "mean"})})
    model = DualEncoder(settings, 2).eval()
    texts, _ = batch()
    found = model.text_features(texts)
    for row, length in enumerate(texts.lengths.tolist()):
        alone = texts.pick(torch.tensor([row]))
        states = model.text.encode(model.text.embed_text(alone), None)[0]
        assert len(states) == length
        torch.testing.assert_close(found[row], torch.tanh(model.text.pooler(states.mean(0))), atol=1e-5, rtol=0)


def test_towers_begin_with_the_fusion_encoder(small) -> None:
    torch.manual_seed(1)
    fused = FusionEncoder(small()["teacher"], 2)
    dual = DualEncoder(small()["hard"], 2)
    fresh = dual.head[0].weight.clone()
    adopt(dual, fused.state_dict())
    for tower in (dual.text, dual.image):
        torch.testing.assert_close(tower.layers[1].qkv.weight, fused.stack.layers[1].qkv.weight)
        torch.testing.assert_close(tower.pooler.weight, fused.stack.pooler.weight)
    torch.testing.assert_close(dual.image.image.projection.weight, fused.stack.image.projection.weight)
    torch.testing.assert_close(dual.text.text.word.weight, fused.stack.text.word.weight)
    torch.testing.assert_close(dual.head[0].weight, fresh)


def test_rates_and_decay_are_the_released_ones(small) -> None:
    model = DualEncoder(small()["hard"], 2)
    settings = Optimiser(steps=10, lr=1e-4, group_lr={"head": 1e-3})
    optimiser = build_adamw(settings, model, groups(model), decays)
    assert optimiser.defaults["betas"] == (0.9, 0.98)
    of = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    names = dict(model.named_parameters())
    assert of[id(names["head.0.weight"])]["peak"] == 1e-3
    assert of[id(names["text.layers.0.qkv.weight"])]["peak"] == 1e-4
    for name, decay in {
        "text.layers.0.qkv.weight": 0.01, "text.layers.0.norm.weight": 0.0, "text.layers.0.out.bias": 0.0,
        "fusion.layers.1.weight": 0.01, "head.1.weight": 0.01, "fusion.layers.1.bias": 0.0, "head.3.bias": 0.0,
    }.items():  # fmt: skip
        assert of[id(names[name])]["weight_decay"] == decay, name


def test_positions_begin_different_and_of_one_size() -> None:
    table = sine_grid(4, 32)
    assert table.shape == (16, 32)
    torch.testing.assert_close(table.square().mean(1), torch.ones(16), atol=0.1, rtol=0)
    assert len({tuple(row.tolist()) for row in table}) == 16
