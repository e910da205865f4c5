import numpy as np
import pandas as pd
import pytest

from compactvl.data.pairs import Pairs
from compactvl.errors import UserError


class Set:
    name = "toy"
    items = pd.DataFrame(
        [
            ("a", "train", "one dog"),
            ("b", "train", "a cat"),
            ("a", "train", "a dog"),
            ("c", "train", "a cat"),
            ("d", "val", "x"),
            ("b", "train", "cat"),
        ],
        columns=["image_id", "split", "caption"],
    )


@pytest.fixture
def pairs():
    return Pairs.of(Set, "train")


def test_both_directions_agree(pairs):
    assert pairs.image_ids == ["a", "b", "c"]
    for image, captions in enumerate(pairs.of_image):
        assert (pairs.owner[captions] == image).all()
    assert sorted(np.concatenate(pairs.of_image)) == list(range(5))
    same = pairs.text[:, None] == pairs.text[None]
    words = np.array(pairs.captions)
    np.testing.assert_array_equal(same, words[:, None] == words[None])


def test_batches_are_distinct_pairs(pairs):
    seen, together = set(), False
    for seed in range(50):
        images, captions = pairs.batch(2, np.random.default_rng(seed))
        assert len(set(captions)) == 2
        assert (pairs.owner[captions] == images).all()
        seen |= set(captions.tolist())
        together |= images[0] == images[1]
    assert seen == set(range(5))
    assert together, "two captions of one image can meet, so masking by image id matters"


def test_matching_rows_share_an_image_or_words(pairs):
    captions = np.arange(5)
    expected = [
        [pairs.owner[a] == pairs.owner[b] or pairs.captions[a] == pairs.captions[b] for b in captions] for a in captions
    ]
    np.testing.assert_array_equal(pairs.matching(captions), expected)


def test_grouped_batches_are_alike_and_still_distinct():
    items = pd.DataFrame(
        [(str(i), "train", f"caption {i}") for i in range(200)], columns=["image_id", "split", "caption"]
    )
    pairs = Pairs.of(type("Many", (), {"name": "many", "items": items}), "train")
    vectors = np.random.default_rng(0).normal(size=(200, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def closeness(group):
        values = []
        for seed in range(20):
            images, captions = pairs.batch(24, np.random.default_rng(seed), group, vectors)
            assert len(captions) == len(set(captions)) == 24
            similarity = vectors[images] @ vectors[images].T
            values.append(np.sort(similarity, axis=1)[:, -2].mean())
        return np.mean(values)

    assert closeness(6) > closeness(1) + 0.03


def test_subset_renumbers(pairs):
    part = pairs.subset(np.array([2, 0]), 1)
    assert part.image_ids == ["c", "a"]
    assert part.captions == ["a cat", "one dog"]
    assert part.owner.tolist() == [0, 1]


def test_an_empty_split_and_a_missing_column_are_errors():
    with pytest.raises(UserError, match="no items in split 'test'"):
        Pairs.of(Set, "test")
    with pytest.raises(UserError, match="no column 'caption_de'"):
        Pairs.of(Set, "train", "caption_de")
