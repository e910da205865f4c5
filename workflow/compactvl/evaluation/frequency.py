"""How frequent words are in a body of text, on the usual logarithmic scale."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

PER = 1_000_000


def count_words(texts: Iterable[str]) -> Counter[str]:
    """Count the words of ``texts``: lower-cased, split at white space."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text.lower().split())
    return counts


@dataclass(frozen=True)
class WordFrequencies:
    """Frequencies in log10 of occurrences per million words, every count one higher so that unseen words have one.

    A word seen c times among N words of V different ones has ``log10((c + 1) / (N + V) · 10⁶)``
    (Brysbaert & Diependaele, 2013).

    Attributes:
        counts: occurrences, by lower-cased word.
    """

    counts: Counter[str]

    @classmethod
    def of_texts(cls, texts: Iterable[str]) -> "WordFrequencies":
        """Count the words of ``texts``."""
        return cls(count_words(texts))

    def log10_per_million(self, words: Sequence[str]) -> np.ndarray:
        """Return the frequencies of ``words`` (any case), ``(n,)`` float64.

        Raises:
            ValueError: no text was counted, so no word has a frequency.
        """
        total = self.counts.total() + len(self.counts)
        if not total:
            raise ValueError("frequencies need at least one word of text")
        seen = np.array([self.counts[word.lower()] for word in words], dtype=float)
        return np.log10((seen + 1) / total * PER)
