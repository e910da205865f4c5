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

PAIRS, LOGITS, TEXTS, SUITE, MASKING = "pairs", "logits", "texts", "suite", "masking"
"""Score image-text pairs; logits over answers; log-probabilities of texts; answers of several data sets; with encoders masked."""


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


class SuiteModel(Protocol):
    """Chooses among the answers of any data set of a suite."""

    def logits(self, dataset: str, items: "pd.DataFrame") -> "np.ndarray":
        """Return float32 (items, answers) for rows of that data set's items table: see :class:`Classifier`."""


class MaskableModel(SuiteModel, Protocol):
    """A model of several encoders that can be asked without some of them."""

    encoders: Sequence[str]

    def masked(self, kept: Sequence[str], fill: str) -> SuiteModel:
        """Return the same model with the features of all encoders but ``kept`` replaced: by ``zero``, or their ``mean``."""


class TextTokenizer(Protocol):
    """What a text scorer's own ids are."""

    bos: int
    eos: int

    def pieces(self, texts: Sequence[str]) -> Sequence[Sequence[int]]:
        """Return each text's ids, without [BOS] and [EOS]."""


class TextScorer(Protocol):
    """Gives texts log-probabilities (minimal pairs, ranked answers, perplexity)."""

    probabilities: bool
    """Whether scores are probabilities, so that there is a perplexity."""
    longest: int
    """Most ids of a text, [BOS] included."""
    tokenizer: "TextTokenizer"

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> "np.ndarray":
        """Return Σ log P(row[i] | row[:i], image) over i ≥ start: float64 (n,).

        Args:
            rows: [BOS] and the text's ids. starts: index in the row where scoring begins, at least 1.
            images: image id of each row, ``""`` for none. task: the benchmark's task, by which images are known.
        """
