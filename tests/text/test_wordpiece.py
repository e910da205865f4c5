"""Captions as EDJE's text models are given them."""

import string

import pytest

from compactvl.text.wordpiece import canonical_caption


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ('  A Dog\'s ball, on/off-white:\n"so" ', "a dogs ball onoffwhite so"),
        ("black-and-white", "blackandwhite"),
        ("snake_case – 3 €", "snake case – 3 €"),
        ("salt &amp;amp; pepper, 5 &lt; 6", "salt pepper 5 6"),
        ("schÃ¶n", "schön"),  # UTF-8 that was read as Latin-1
        ("“so”, it’s", "so its"),  # ftfy makes curly quotes straight
        ("हिन्दी में, कुत्ता!", "हिन्दी में कुत्ता"),
        ("น้ำแข็ง", "น้ำแข็ง"),
        ("நாய்.", "நாய்"),
        ("שָׁלוֹם", "שָׁלוֹם"),
    ],
)
def test_captions_are_read_as_the_release_reads_them(caption: str, expected: str) -> None:
    assert canonical_caption(caption) == expected


def test_all_of_ascii_punctuation_goes_but_underscores_part_words() -> None:
    for mark in string.punctuation:
        assert canonical_caption(f"a{mark}b") == ("a b" if mark == "_" else "ab"), mark
