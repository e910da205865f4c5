"""The BPE tokenizer: words by themselves, special tokens, the same file from the same texts."""

import hashlib

import pytest

from compactvl.errors import UserError
from compactvl.text.bpe import TextTokenizer, published, save_tokenizer, train_bpe

TEXTS = ["The cat sat on the mat .", "A dog and two cats sit here !", "two dogs, one cat"] * 4


@pytest.fixture
def tokenizer(tmp_path) -> TextTokenizer:
    save_tokenizer(train_bpe(TEXTS, 300, lowercase=True), tmp_path / "tokenizer.json")
    return TextTokenizer(tmp_path / "tokenizer.json")


def test_a_word_has_the_same_pieces_wherever_it_stands(tokenizer):
    whole, *words = tokenizer.pieces(["the cat sat .", "the", " cat", "sat", "."])
    assert whole == [piece for word in words for piece in word]
    assert tokenizer.pieces(["cats."]) == tokenizer.pieces(["cats ."])
    assert tokenizer.pieces(["Cats"]) == tokenizer.pieces(["cats"])


def test_no_text_is_unknown(tokenizer):
    (ids,) = tokenizer.pieces(["Ωmega 猫 \x00"])
    assert ids
    assert max(ids) < tokenizer.size
    assert not {tokenizer.pad, tokenizer.bos, tokenizer.eos} & set(ids)


def test_special_tokens_frame_and_long_texts_are_cut(tokenizer):
    (row,) = tokenizer.encode(["the cat sat on the mat"], 6)
    assert row[0] == tokenizer.bos
    assert row[-1] == tokenizer.eos
    assert len(row) == 6
    assert (tokenizer.pad, tokenizer.eos, tokenizer.bos) == (0, 1, 2)
    assert tokenizer.encode(["the cat"], 2) == [[2, 1]]
    for longest in (1, 0, -1):
        with pytest.raises(ValueError, match=f"longest {longest}"):
            tokenizer.encode(["the cat"], longest)


def test_special_tokens_in_a_text_are_just_text(tokenizer):
    (ids,) = tokenizer.pieces(["[EOS] [PAD]"])
    assert not {tokenizer.pad, tokenizer.eos} & set(ids)


def test_equal_texts_give_equal_files(tmp_path):
    digests = set()
    for number in range(3):
        path = tmp_path / f"{number}.json"
        save_tokenizer(train_bpe(iter(TEXTS), 300, lowercase=True), path)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_published_tokenizer_gets_the_special_tokens(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    plain.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=290, show_progress=False))
    size = plain.get_vocab_size()
    (tmp_path / "gpt").mkdir()
    plain.save(str(tmp_path / "gpt" / "tokenizer.json"))
    save_tokenizer(published(str(tmp_path / "gpt")), tmp_path / "own.json")
    own = TextTokenizer(tmp_path / "own.json")
    assert own.size == size + 3
    assert sorted([own.pad, own.eos, own.bos]) == [size, size + 1, size + 2]


def test_bad_files_are_named(tmp_path):
    with pytest.raises(UserError, match="missing"):
        TextTokenizer(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match=r"broken\.json is not a tokenizer"):
        TextTokenizer(tmp_path / "broken.json")
    with pytest.raises(UserError, match="cannot be loaded"):
        published(str(tmp_path / "nowhere"))
