"""Controls are at chance where the model they are made from is perfect."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from compactvl.data.pairs import Pairs
from compactvl.errors import UserError
from compactvl.evaluation.controls import (
    FusedPairs,
    LogitsWithOtherImages,
    PairsWithOtherImages,
    RandomLogits,
    RandomPairs,
)
from compactvl.evaluation.pairs import first_stage_table, rescored, winoground_table
from compactvl.evaluation.retrieval import query_hits

COUNT, WIDTH = 300, 64
VECTORS = np.random.default_rng(3).normal(size=(COUNT, WIDTH)).astype(np.float32)
NOISY = VECTORS + np.random.default_rng(4).normal(size=VECTORS.shape).astype(np.float32)
IDS = [f"i{n}" for n in range(COUNT)]
ITEMS = pd.DataFrame({"image_id": IDS, "split": "test", "caption": [str(n) for n in range(COUNT)]})
PAIRS = Pairs.of(SimpleNamespace(name="toy", items=ITEMS), "test")


class Perfect:
    """Image ``i<n>`` belongs to text ``<n>``; candidates are chosen by a noisy similarity."""

    kilobytes = 1.5

    def __init__(self, reranks):
        self.reranks, self.asked = reranks, 0

    def similarity(self, image_ids, texts):
        self.asked += 1
        rows, columns = ([int(name.removeprefix("i")) for name in names] for names in (image_ids, texts))
        return (NOISY[rows] if self.reranks else VECTORS[rows]) @ VECTORS[columns].T

    def score_pairs(self, image_ids, texts, images, captions):
        left = [int(image_ids[i].removeprefix("i")) for i in images]
        return (VECTORS[left] * VECTORS[[int(texts[c]) for c in captions]]).sum(1)


def recalls(model):
    table = first_stage_table(model.similarity(PAIRS.image_ids, PAIRS.captions), PAIRS, 10, None)
    table = rescored(table, PAIRS, model) if model.reranks else table
    return {k: np.array([query_hits(table, d, 10, k).mean() for d in ("t2i", "i2t")]) for k in (1, 10)}


def test_the_model_itself_is_perfect():
    assert recalls(Perfect(True))[1].min() > 0.95
    assert recalls(Perfect(False))[1].min() == 1.0


@pytest.mark.parametrize("control", [PairsWithOtherImages, lambda model: RandomPairs(model, 0)])
def test_controls_of_a_reranker_are_at_chance_among_its_candidates(control):
    found = recalls(control(Perfect(True)))
    assert found[10].min() > 0.95, "the candidates are those of the unharmed first stage"
    # Chance among ten candidates; four standard deviations.
    assert np.abs(found[1] - 0.1).max() < 4 * (0.09 / COUNT) ** 0.5
    assert control(Perfect(True)).kilobytes is None


def test_an_embedding_model_that_sees_other_images_finds_nothing():
    assert recalls(PairsWithOtherImages(Perfect(False)))[10].max() < 0.1


def test_a_fusion_adds_the_first_stage_and_asks_it_once():
    model = Perfect(True)
    fused = FusedPairs(model, 2.0)
    rows = np.arange(COUNT)
    first = fused.similarity(IDS, ITEMS["caption"].tolist())
    own = model.score_pairs(IDS, PAIRS.captions, rows, rows[::-1])
    found = fused.score_pairs(IDS, PAIRS.captions, rows, rows[::-1])
    np.testing.assert_allclose(found, own + 2 * first[rows, rows[::-1]], rtol=1e-6)
    assert model.asked == 1
    assert fused.kilobytes == 1.5
    assert (
        FusedPairs(model, 0.0).score_pairs(IDS, PAIRS.captions, rows, rows)
        == model.score_pairs(IDS, PAIRS.captions, rows, rows)
    ).all()


def test_winoground_asks_for_every_caption_with_every_image():
    items = pd.DataFrame({"item_id": ["a", "b"], "kind": "k", "image_0": ["i1", "i5"], "image_1": ["i2", "i1"],
                          "caption_0": ["1", "5"], "caption_1": ["2", "1"]})  # fmt: skip
    table = winoground_table(Perfect(True), items)
    for row, item in zip(table.itertuples(), items.itertuples(), strict=True):
        for c, caption in enumerate((item.caption_0, item.caption_1)):
            for i, image in enumerate((item.image_0, item.image_1)):
                expected = VECTORS[int(image[1:])] @ VECTORS[int(caption)]
                assert getattr(row, f"s{c}{i}") == pytest.approx(expected, rel=1e-5)


class Reader:
    """Answers with the number of the image."""

    def logits(self, items):
        return np.eye(COUNT, dtype=np.float32)[[int(name[1:]) for name in items["image_id"]]]


def test_a_classifier_that_sees_other_images_is_wrong_everywhere_and_never_sees_its_own():
    answers = LogitsWithOtherImages(Reader()).logits(ITEMS).argmax(1)
    assert sorted(answers) == list(range(COUNT))
    assert (answers != np.arange(COUNT)).all()


def test_random_answers_are_at_chance_and_repeat():
    first, again = (RandomLogits(Reader(), 0).logits(ITEMS) for _ in range(2))
    assert first.shape == (COUNT, COUNT)
    assert (first == again).all()
    assert (first.argmax(1) == np.arange(COUNT)).mean() < 0.05


def test_one_image_has_no_other():
    one = ITEMS.assign(image_id="i0")
    for ask in (
        lambda: LogitsWithOtherImages(Reader()).logits(one),
        lambda: PairsWithOtherImages(Perfect(False)).similarity(["i0"], ["0"]),
        lambda: PairsWithOtherImages(Perfect(True)).score_pairs(["i0"], ["0"], np.array([0]), np.array([0])),
    ):
        with pytest.raises(UserError, match="needs two different images"):
            ask()
