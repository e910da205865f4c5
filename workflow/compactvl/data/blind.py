"""How well a task's answers can be told from its texts alone, without an image.

The predictor is fitted on the training items. A text that was seen there gets the answer it most often had. For any other
text the longest word n-grams that training texts had too decide: each of them votes with the shares of the answers of the
training items that have it, and the answer with the most votes wins; where not even a word was seen, the commonest answer.
Of equal answers the one that is commoner in training wins, then the first by name. It is what a model can reach that never
looks, as far as counting can tell; a score far above that of the commonest answer says that the questions give answers away.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable

import pandas as pd

from compactvl.data.draws import HELD_OUT, by_split

LONGEST = 4
Ngram = tuple[str, ...]


def blind_scores(items: pd.DataFrame, text: str, answer: str) -> dict[str, dict[str, float]]:
    """Return split (val, test) → ``all`` and every type → accuracy of the answers that are predicted from the texts.

    Args:
        items: of all splits, with ``split``, ``type`` and the columns that are named.
        text, answer: names of the columns with the text, and with the right answer or its label.
    """
    train = items[items["split"] == "train"]
    predictor = Blind(train[text], train[answer])
    asked = items[items["split"].isin(HELD_OUT)]
    asked = asked.assign(right=asked[text].map(predictor) == asked[answer])
    scores = {split: {"all": round(float(own["right"].mean()), 4)} for split, own in asked.groupby("split")}
    by_type = by_split(asked, "type", lambda own: round(float(own["right"].mean()), 4))
    return {split: scores[split] | by_type[split] for split in scores}


class Blind:
    """Predicts answers from texts by counting; see the module."""

    def __init__(self, texts: Iterable[str], answers: Iterable[Hashable]) -> None:
        self._by_text: dict[str, Counter] = defaultdict(Counter)
        for one, answer in zip(texts, answers, strict=True):
            self._by_text[one][answer] += 1
        self._all: Counter = Counter()
        self._by_ngram: dict[Ngram, Counter] = defaultdict(Counter)
        for one, counts in self._by_text.items():
            self._all.update(counts)
            for length in range(1, LONGEST + 1):
                for ngram in _ngrams(one, length):
                    self._by_ngram[ngram].update(counts)

    def __call__(self, text: str) -> Hashable:
        """Return the answer predicted for a text."""
        if text in self._by_text:
            return self._best(self._by_text[text])
        for length in range(LONGEST, 0, -1):
            votes: Counter = Counter()
            for counts in (self._by_ngram[ngram] for ngram in sorted(_ngrams(text, length)) if ngram in self._by_ngram):
                total = counts.total()
                for answer, number in counts.items():
                    votes[answer] += number / total
            if votes:
                return self._best(votes)
        return self._best(self._all)

    def _best(self, votes: Counter) -> Hashable:
        return min(votes, key=lambda answer: (-votes[answer], -self._all[answer], str(answer)))


def _ngrams(text: str, length: int) -> set[Ngram]:
    words = text.split()
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}
