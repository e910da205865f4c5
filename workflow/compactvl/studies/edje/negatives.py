"""Which pairs of a batch are scored as negatives."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compactvl.studies.edje.settings import Negatives
from compactvl.training.mining import allowed, at_random, hardest, nearest

Scorer = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Chosen:
    """Negatives of each row of a batch, as row numbers; -1 where there is none.

    Attributes:
        images: (B, 1 + random images): other rows' images for the row's caption; the first is the mined one.
        texts: (B, 1 or 2): other rows' captions for the row's image, and a caption that is in no row: its own, exchanged.
    """

    images: np.ndarray
    texts: np.ndarray

    @property
    def number(self) -> int:
        """How many negatives there are."""
        return int((self.images >= 0).sum() + (self.texts >= 0).sum())


def choose(
    settings: Negatives,
    images: np.ndarray,
    texts: np.ndarray,
    similarity: Callable[[], np.ndarray] | None,
    score: Scorer,
    rng: np.random.Generator,
    twins: np.ndarray | None = None,
) -> Chosen:
    """Choose one mined (or random) image and text negative a row, and further random images.

    Args:
        settings: see there.
        images: (B,) image index of each row.
        texts: (B,) equal where captions are the same words.
        similarity: returns the miner's (B images, B captions) similarity; ``None`` with miner ``random``.
        score: this model's own logits of (image rows, caption rows), for miner ``self``.
        rng: this step's generator.
        twins: (B,) row of each row's twin, which is its negative then; −1 where it has none.
    """
    for_image = for_text = allowed(images, texts)
    if settings.mode == "released":
        # The release bars images by the row alone, as it passes no ids, and texts by equal captions alone.
        for_image, for_text = ~np.eye(len(images), dtype=bool), texts[:, None] != texts[None]
    easy_image, easy_text = at_random(for_image, rng), at_random(for_text, rng)
    if settings.miner == "random":
        hard_image, hard_text = easy_image, easy_text
    else:
        grid = similarity()
        hard_image = _mine(settings, grid.T, for_image, score, rows_are_texts=True)
        hard_text = _mine(settings, grid, for_text, score, rows_are_texts=False)
        mined = rng.random((2, len(images))) < settings.hard_share
        hard_image = np.where(mined[0], hard_image, easy_image)
        hard_text = np.where(mined[1], hard_text, easy_text)
    if twins is not None:
        hard_image, hard_text = (np.where(twins >= 0, twins, hard) for hard in (hard_image, hard_text))
    more = [at_random(for_image, rng) for _ in range(settings.random_images)]
    return Chosen(np.stack([hard_image, *more], axis=1), hard_text[:, None])


def _mine(
    settings: Negatives, grid: np.ndarray, permitted: np.ndarray, score: Scorer, rows_are_texts: bool
) -> np.ndarray:
    """Hardest permitted column of each row, by the miner or, among its nearest, by the model itself."""
    if settings.miner != "self":
        return hardest(grid, permitted)
    candidates = nearest(grid, permitted, settings.candidates)
    rows = np.repeat(np.arange(len(grid))[:, None], candidates.shape[1], axis=1)
    columns = np.maximum(candidates, 0)
    own = score(columns.ravel(), rows.ravel()) if rows_are_texts else score(rows.ravel(), columns.ravel())
    own = np.where(candidates >= 0, own.reshape(candidates.shape), -np.inf)
    return np.take_along_axis(candidates, own.argmax(1)[:, None], 1)[:, 0]
