"""Texts as word pieces, punctuation and all: questions, statements, hypotheses."""

from collections.abc import Sequence

from compactvl.text.wordpiece import WordPiece


def encode_texts(tokenizer: WordPiece, texts: Sequence[str], longest: int) -> list[list[int]]:
    """Return [CLS] text [SEP] for each text, at most ``longest`` ids each; punctuation stays, unlike in EDJE."""
    encodings = tokenizer.backend.encode_batch(list(texts), add_special_tokens=False)
    return [[tokenizer.cls, *one.ids[: longest - 2], tokenizer.sep] for one in encodings]
