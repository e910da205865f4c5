"""Captions as EDJE's text models are given them."""

import string

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from compactvl.errors import UserError
from compactvl.text.wordpiece import WordPiece, canonical_caption

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "[", "]", "?", "sep", "mask", "two", "dog", "##s"]


@pytest.fixture
def plain() -> Tokenizer:
    """A tokenizer as BERT's, which takes "[SEP]" in a text for the control token."""
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


@pytest.fixture
def reader(plain, tmp_path) -> WordPiece:
    plain.save(str(tmp_path / "tokenizer.json"))
    return WordPiece(tmp_path / "tokenizer.json")


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


def test_control_tokens_in_a_text_are_text_and_captions_are_read_as_ever(plain, reader) -> None:
    (ids,) = reader.encode(["[SEP] two [MASK]?"], 20)
    assert [WORDS[i] for i in ids] == ["[CLS]", "[", "sep", "]", "two", "[", "mask", "]", "?", "[SEP]"]
    captions = ["Two DOGS ?", "two zebras", "", "\u200b"]
    pieces = [plain.encode(caption, add_special_tokens=False).ids for caption in captions]
    assert reader.encode(captions, 20) == [[2, *ids, 3] for ids in pieces]


def test_no_text_is_longer_than_asked_for(reader) -> None:
    assert [reader.encode(["two dogs"], longest)[0] for longest in (2, 3)] == [[2, 3], [2, 10, 3]]
    for longest in (1, 0, -1):
        with pytest.raises(ValueError, match=f"longest {longest}"):
            reader.encode(["two dogs"], longest)


def test_what_somebody_asks_is_read_as_a_caption_is(reader, caplog) -> None:
    assert [reader.read("two dogs", 5, "the query")] == reader.encode(["two dogs"], 5)
    assert [reader.read("[two] dogs", 5, "the query", canonical=True)] == reader.encode(["two dogs"], 5)
    assert caplog.messages == []
    assert [reader.read("two dogs ? ox", 5, "question 2")] == reader.encode(["two dogs"], 5)
    assert caplog.messages == ["question 2 is longer than the 5 word pieces the model reads; its end is cut off"]
    caplog.clear()
    reader.read("two cats ?", 9, "question 2")
    assert caplog.messages == ["the model does not know 1 of question 2's words"]


@pytest.mark.parametrize("canonical", [False, True])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "question 1 ' ' has no words"),
        ("?!", "question 1 '\\?!' has no words"),
        ("\u200b", "knows no word of question 1"),
        ("ox and cat", "knows no word of question 1 'ox and cat'"),
        ("ox ox ox two dogs", "knows no word of question 1"),
        ("caf\udce9 dog", r"question 1 'caf\\udce9 dog' is not UTF-8"),
    ],
)
def test_what_says_nothing_to_the_model_is_refused(text, message, canonical, reader) -> None:
    with pytest.raises(UserError, match=message) as caught:
        reader.read(text, 5, "question 1", canonical=canonical)
    str(caught.value).encode()
