"""Captions as training reads them: word pieces, which of them make a word, and pairs that do not match."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from compactvl.nn.compute import compute_device
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece

NO_WORD = -1
"""Stands for the word of a piece that is never masked: [CLS], [SEP], padding, words of another part of speech."""


class Captions:
    """Captions of a split as word pieces.

    Args:
        captions: texts. tags: their words' parts of speech, of which nouns can be masked; ``None``: every word can.

    Attributes:
        ids: word pieces of each caption. words: the number of the word that each belongs to, or :data:`NO_WORD`.
        seen: every piece that occurs, sorted.
    """

    def __init__(self, captions: Sequence[str], tags: Sequence[str] | None, tokenizer: WordPiece, longest: int) -> None:
        distinct = sorted({word for caption in captions for word in caption.split()})
        pieces = dict(
            zip(
                distinct,
                (one.ids for one in tokenizer.backend.encode_batch(distinct, add_special_tokens=False)),
                strict=True,
            )
        )
        self.ids, self.words = [], []
        for number, caption in enumerate(captions):
            words = caption.split()
            kinds = ["NOUN"] * len(words) if tags is None else tags[number].split()
            row = [
                (piece, place if kind == "NOUN" else NO_WORD)
                for place, (word, kind) in enumerate(zip(words, kinds, strict=True))
                for piece in pieces[word]
            ]
            row = [(tokenizer.cls, NO_WORD), *row[: longest - 2], (tokenizer.sep, NO_WORD)]
            self.ids.append([piece for piece, _ in row])
            self.words.append([word for _, word in row])
        self.seen = np.unique(np.concatenate(self.ids))

    def batch(self, rows: np.ndarray) -> tuple[TokenBatch, Tensor]:
        """Captions by number, and a (B, L) int64: the word of each piece, or :data:`NO_WORD`."""
        device = compute_device()
        words = TokenBatch.of([self.words[row] for row in rows], NO_WORD, device)
        return TokenBatch.of([self.ids[row] for row in rows], device=device), words.ids


def other_pairs(match: Tensor) -> Tensor:
    """For each row of a (B, B) bool the next one, in a circle, that does not match it; the next of all where none is."""
    size = len(match)
    order = (torch.arange(size, device=match.device)[:, None] + torch.arange(1, size + 1, device=match.device)) % size
    free = ~match.gather(1, order)
    return order.gather(1, free.float().argmax(1, keepdim=True))[:, 0]
