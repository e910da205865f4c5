"""Captions as EDJE's text model is given them."""

import pytest

from compactvl.text.wordpiece import canonical_caption


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ('  A Dog\'s ball, on/off-white:\n"so" ', "a dogs ball on off white so"),
        ("snake_case – 3 €", "snake_case 3"),
        ("हिन्दी में, कुत्ता!", "हिन्दी में कुत्ता"),
        ("น้ำแข็ง", "น้ำแข็ง"),
        ("நாய்.", "நாய்"),
        ("שָׁלוֹם", "שָׁלוֹם"),
    ],
)
def test_punctuation_goes_and_vowel_signs_stay(caption: str, expected: str) -> None:
    assert canonical_caption(caption) == expected
