"""Negatives inside a batch of matching (image, caption) rows."""

import numpy as np

NEVER = -np.inf


def allowed(images: np.ndarray, texts: np.ndarray) -> np.ndarray:
    """Which (image row, caption row) entries are true negatives: another image and other words.

    Args:
        images: (B,) image index of each row.
        texts: (B,) equal where two captions are the same words.

    Returns:
        (B, B) bool.
    """
    return (images[:, None] != images[None, :]) & (texts[:, None] != texts[None, :])


def hardest(similarity: np.ndarray, permitted: np.ndarray) -> np.ndarray:
    """Index of the most similar permitted column of each row (deterministic top-1; the first of equals).

    Args:
        similarity: (B, C).
        permitted: (B, C) bool.

    Returns:
        int64 (B,); -1 where a row permits nothing.
    """
    best = np.where(permitted, similarity, NEVER).argmax(1)
    best[~permitted.any(1)] = -1
    return best


def at_random(permitted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Index of a uniformly drawn permitted column of each row; -1 where a row permits nothing."""
    return hardest(rng.random(permitted.shape), permitted)


def nearest(similarity: np.ndarray, permitted: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` most similar permitted columns of each row, best first: int64 (B, count), -1 where there are fewer."""
    masked = np.where(permitted, similarity, NEVER)
    order = np.argsort(-masked, axis=1, kind="stable")[:, :count]
    return np.where(np.take_along_axis(permitted, order, 1), order, -1)
