"""What a trained model can do, as the drivers see it: one protocol an ability, whatever the study.

A kind of variant says which abilities it has and what opens each (``opens``); a kind of benchmark says which one it asks for
(``ability``). The driver batches, scores and measures; controls wrap any model of an ability
(:mod:`compactvl.evaluation.controls`).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

PAIRS, LOGITS, TEXTS = "pairs", "logits", "texts"
"""Score image-text pairs; logits over answers; log-probabilities of texts."""


class PairScorer(Protocol):
    """Scores images against texts (retrieval, Winoground)."""

    reranks: bool
    """Whether :meth:`score_pairs` says more than :meth:`similarity` does, so that candidates are scored again."""
    kilobytes: float | None
    """Decimal kB of stored tokens an image; ``None`` where that is no property of the model."""

    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> "np.ndarray":
        """Return float32 (images, texts): every image with every text, by what candidates are chosen by."""

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: "np.ndarray", captions: "np.ndarray"
    ) -> "np.ndarray":
        """Return float32 (P,): the model's own score of each pair ``image_ids[images[p]]``, ``texts[captions[p]]``."""


class Classifier(Protocol):
    """Chooses among answers (question answering, statements about two images, entailment, boxes)."""

    def logits(self, items: "pd.DataFrame") -> "np.ndarray":
        """Return float32 (items, answers) for rows of a data set's items table, in their order; a long table comes in parts.

        The answers are those of the benchmark, in its order. With grounding they are an item's boxes, as many columns as
        the longest list has; what stands in columns an item has no box for is never looked at.
        """


class TextScorer(Protocol):
    """Gives texts log-probabilities (minimal pairs, ranked answers, perplexity)."""

    probabilities: bool
    """Whether scores are probabilities, so that there is a perplexity."""
    longest: int
    """Most ids of a text, [BOS] included."""

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> "np.ndarray":
        """Return Σ log P(row[i] | row[:i], image) over i ≥ start: float64 (n,).

        Args:
            rows: [BOS] and the text's ids. starts: index in the row where scoring begins, at least 1.
            images: image id of each row, ``""`` for none. task: the benchmark's task, by which images are known.
        """
