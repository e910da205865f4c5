"""Controls: models of an ability made from another one. What has learned nothing, and what sees the wrong image."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.abilities import Classifier, PairScorer
from compactvl.evaluation.language_requests import other_images

IMAGE_COLUMNS = ("image_id", "image_0", "image_1")
ALONE = "the control with other images needs two different images; ask more items or leave the control out"


class RandomPairs:
    """A model's candidates in random order."""

    reranks, kilobytes = True, None

    def __init__(self, model: PairScorer, seed: int) -> None:
        self.similarity, self._rng = model.similarity, np.random.default_rng(seed)

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        return self._rng.random(len(images))


class PairsWithOtherImages:
    """A model that is given, for each image, the one half of the gallery further on.

    Where the model reranks, the candidates are those of its own, unharmed first stage.

    Raises:
        UserError: where it is asked: there is one image only.
    """

    kilobytes = None

    def __init__(self, model: PairScorer) -> None:
        self._model, self.reranks = model, model.reranks

    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        matrix = self._model.similarity(image_ids, texts)
        return matrix if self.reranks else np.roll(matrix, -self._further(image_ids), axis=0)

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        images = (images + self._further(image_ids)) % len(image_ids)
        return self._model.score_pairs(image_ids, texts, images, captions)

    @staticmethod
    def _further(image_ids: Sequence[str]) -> int:
        if len(image_ids) < 2:
            raise UserError(ALONE)
        return len(image_ids) // 2


class FusedPairs:
    """A reranker's score plus ``weight`` times its first stage's similarity."""

    reranks = True

    def __init__(self, model: PairScorer, weight: float) -> None:
        self._model, self._weight, self.kilobytes = model, weight, model.kilobytes
        self._known: tuple[list[str], list[str], np.ndarray] | None = None

    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        asked = (list(image_ids), list(texts))
        if self._known is None or self._known[:2] != asked:
            self._known = (*asked, self._model.similarity(image_ids, texts))
        return self._known[2]

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        own = self._model.score_pairs(image_ids, texts, images, captions)
        return own + self._weight * self.similarity(image_ids, texts)[images, captions] if self._weight else own


class RandomLogits:
    """Answers at random, among as many as a model chooses from."""

    def __init__(self, model: Classifier, seed: int) -> None:
        self._model, self._rng = model, np.random.default_rng(seed)

    def logits(self, items: pd.DataFrame) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.Classifier`."""
        return self._rng.random(self._model.logits(items).shape, dtype=np.float32)


class LogitsWithOtherImages:
    """A model that is given, for each image, the one half of the different images further on.

    Raises:
        UserError: where it is asked: there is one image only.
    """

    def __init__(self, model: Classifier) -> None:
        self._model = model

    def logits(self, items: pd.DataFrame) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.Classifier`."""
        columns = [column for column in IMAGE_COLUMNS if column in items]
        try:
            other = other_images(items[columns].to_numpy(dtype=object))
        except ValueError:
            raise UserError(ALONE) from None
        return self._model.logits(items.assign(**{column: items[column].map(other) for column in columns}))
