"""Batches of texts, vectors of images, and weights taken over from another run."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from compactvl.errors import UserError
from compactvl.studies.gating.images import FileVectors, OrZeros, SeveralVectors, StoredVectors
from compactvl.studies.gating.runs import start_from
from compactvl.studies.gating.settings import Image
from compactvl.studies.gating.streams import Stream, joined, open_stream


class Letters:
    """A tokenizer of letters."""

    def encode(self, texts, longest):
        return [[*[2, *map(ord, text)][: longest - 1], 1] for text in texts]


def dataset(name: str, column: str, count: int) -> SimpleNamespace:
    unit = "document" if column == "text" else "image_id"
    items = pd.DataFrame(
        {
            "split": ["train", "val"] * count,
            unit: [f"{name}{i // 6}" for i in range(2 * count)],
            column: [f"{name} {'x' * (i % 13)}{i}" for i in range(2 * count)],
        }
    )
    return SimpleNamespace(
        name=name,
        items=items,
        manifest={},
        text_column=column,
        split=lambda s: items[items["split"] == s].reset_index(drop=True),
    )


def stream(**changes) -> Stream:
    settings = {"share": 1.0, "longest": 50, "batch": 8, "seed": 0} | changes
    return open_stream([dataset("a", "caption", 101)], Letters(), **settings)


def test_a_pass_shows_every_text_once_and_the_next_in_another_order():
    one = stream()
    passes = [[one.take(p * one.batches + i) for i in range(one.batches)] for p in range(2)]
    for batches in passes:
        rows = sorted(tuple(row) for rows, _ in batches for row in rows)
        assert rows == sorted(map(tuple, Letters().encode(one.texts, 50)))
    assert [b[0] for b in passes[0]] != [b[0] for b in passes[1]]


def test_texts_and_captions_of_one_stream_are_shuffled_together_and_texts_see_zeros():
    captions = stream()
    texts = open_stream([dataset("b", "text", 60)], Letters(), share=1.0, longest=50, batch=8, seed=0)
    both = joined(texts, captions)
    rows, image_ids = zip(*(both.take(number) for number in range(both.batches)), strict=True)
    assert sorted(tuple(row) for batch in rows for row in batch) == sorted(
        map(tuple, Letters().encode(texts.texts + captions.texts, 50))
    )
    mixed = [0 < sum(not image for image in ids) < len(ids) for ids in image_ids]
    assert sum(mixed) > len(mixed) / 3
    known = SimpleNamespace(read=lambda ids: torch.tensor([[[float(ord(i[0])), 1.0]] for i in ids]))
    read = OrZeros(known, captions.image_ids[0]).read(image_ids[0])
    for vector, image in zip(read, image_ids[0], strict=True):
        assert vector.tolist() == ([[97.0, 1.0]] if image else [[0.0, 0.0]])


def test_images_stay_with_their_captions():
    one = stream()
    rows = Letters().encode(one.texts, 50)
    owner = {tuple(row): image for row, image in zip(rows, one.image_ids, strict=True)}
    for number in range(one.batches):
        rows, images = one.take(number)
        assert [owner[tuple(row)] for row in rows] == images


def test_a_batch_is_a_function_of_its_number():
    one, other = stream(), stream()
    for number in (40, 3, 17, 3):
        assert one.take(number) == other.take(number)
    assert stream(seed=1).take(3) != one.take(3)


def test_batches_hold_texts_of_similar_length():
    one = stream()
    padded = sum(max(map(len, rows)) * len(rows) for rows, _ in map(one.take, range(one.batches)))
    lengths = [len(row) for row in Letters().encode(one.texts, 50)]
    plain = sum(max(lengths[i : i + 8]) * 8 for i in range(0, 101, 8))
    used = sum(lengths)
    assert padded - used < 0.35 * (plain - used)


def test_shares_are_whole_images_and_nested():
    images = {share: set(stream(share=share).image_ids) for share in (0.125, 0.25, 0.5, 1.0)}
    sizes = [len(images[share]) for share in sorted(images)]
    assert sizes == [4, 8, 17, 34]
    assert images[0.125] < images[0.25] < images[0.5] < images[1.0]
    counts = pd.Series(stream(share=0.25).image_ids).value_counts()
    assert (counts == 3).sum() >= 7


def test_only_the_training_split_is_read_and_none_is_an_error():
    assert len(stream().texts) == 101
    empty = dataset("b", "text", 1)
    with pytest.raises(UserError, match="b: no text in the split 'test'"):
        open_stream([empty], Letters(), share=1.0, longest=9, batch=2, seed=0, split="test")


class Store:
    folder, shape, pooled_dim = "cache/tokens/eyes/a", (4, 12), 12

    def read(self, ids):
        return np.stack([np.full((4, 12), len(i), np.float16) for i in ids])

    def pooled(self, ids):
        return np.stack([np.full(12, len(i), np.float32) for i in ids])


def test_a_store_gives_its_cls_vectors_or_its_patches():
    cls = StoredVectors(Store(), Image(width=12)).read(["a", "bb"])
    patches = StoredVectors(Store(), Image(width=12, input="patches")).read(["a", "bb"])
    assert cls.shape == (2, 1, 12)
    assert patches.shape == (2, 4, 12)
    assert cls[:, 0, 0].tolist() == patches[:, 3, 11].tolist() == [1, 2]
    with pytest.raises(UserError, match=r"width 12, the variant expects 768: set image.width"):
        StoredVectors(Store(), Image())


def test_a_set_without_vectors_says_so():
    with pytest.raises(UserError, match="'a' brings no image vectors"):
        FileVectors(dataset("a", "caption", 3), Image())


def test_several_sets_are_read_from_their_own_vectors():
    class Constant:
        def __init__(self, value):
            self.value = value

        def read(self, ids):
            return torch.full((len(ids), 1, 2), self.value)

    sets = dataset("a", "caption", 20), dataset("b", "caption", 20)
    both = SeveralVectors([(sets[0], Constant(1.0)), (sets[1], Constant(2.0))])
    assert both.read(["b1", "a0", "b0", "a1"])[:, 0, 0].tolist() == [2, 1, 2, 1]
    with pytest.raises(UserError, match="'a0' is in another data set too"):
        SeveralVectors([(sets[0], Constant(1.0)), (sets[0], Constant(2.0))])


def test_weights_that_fit_are_taken_over_but_never_the_temperature(build, saved_run, tmp_path):
    trunk = build(gate="none")
    for parameter in trunk.parameters():
        torch.nn.init.constant_(parameter, 0.5)
    trunk.temperature.fill_(0.1)
    saved_run(trunk, tmp_path)
    model = build(gate="hard_token")
    fresh = start_from(model, tmp_path)
    assert fresh
    assert all(".gate." in name for name in fresh)
    assert float(model.temperature) == 1.0
    assert (model.output.weight == 0.5).all()
    assert not (model.layers[0].gate.choose.weight == 0.5).all()
