"""Choosing a box among candidates: from logits to predictions; the metrics are classification's."""

import json

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.abilities import Classifier
from compactvl.evaluation.answers import choose
from compactvl.evaluation.classification import describe, items_of

OVERLAP = 0.5
"""Intersection over union above which a candidate counts as the target (Yu et al. 2016)."""


def ground(model: Classifier, name: str, items: pd.DataFrame, split: str) -> pd.DataFrame:
    """Let a model choose a box for every item of a split; columns without a candidate can never be chosen.

    Args:
        model: gives logits (items, candidates of the longest list). name: of the data set, for messages.
        items: its table, all splits: see :mod:`compactvl.evaluation.benchmarks.grounding`.

    Returns:
        One row an item: item_id, cluster, group, prediction and target (places among the candidates; of tied ones the
        first; -1: no candidate is right), score, ties, candidates, chance (the share of the candidates that are right).

    Raises:
        UserError: no items of the split, or an item without candidates, or whose target is none of them.
    """
    asked = items_of(name, items, split)
    boxes = [np.array(json.loads(text), dtype=float).reshape(-1, 4) for text in asked["boxes"]]
    counts = np.array([len(part) for part in boxes])
    valid = np.arange(counts.max()) < counts[:, None]
    right = np.zeros(valid.shape)
    for row, part in enumerate(boxes):
        if "target_box" in asked:
            right[row, : len(part)] = (
                overlaps(part, np.array(json.loads(asked["target_box"][row]), dtype=float)) > OVERLAP
            )
        elif 0 <= asked["target"][row] < len(part):
            right[row, asked["target"][row]] = 1
        if not len(part) or ("target_box" not in asked and not right[row].any()):
            raise UserError(
                f"data set {name!r}: item {asked['item_id'][row]!r} has {len(part)} boxes, and its target is none of them; "
                "correct it where it comes from"
            )
    best, ties, score = choose(model.logits(asked), right, valid)
    return describe(asked).assign(
        prediction=best,
        target=np.where(right.any(axis=1), right.argmax(axis=1), -1),
        score=score,
        ties=ties,
        candidates=counts,
        chance=right.sum(axis=1) / counts,
    )


def overlaps(boxes: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return each box's intersection over union with a target, float64 (n,).

    Args:
        boxes: (n, 4) x, y, width, height. target: (4,).
    """
    start = np.maximum(boxes[:, :2], target[:2])
    end = np.minimum(boxes[:, :2] + boxes[:, 2:], target[:2] + target[2:])
    shared = np.clip(end - start, 0, None).prod(axis=1)
    return shared / (boxes[:, 2:].prod(axis=1) + target[2:].prod() - shared)
