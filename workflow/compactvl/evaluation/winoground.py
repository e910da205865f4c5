"""Winoground's scores: two images, two captions of the same words, which belongs to which?

``s_ci`` is the score of caption c with image i; caption 0 belongs to image 0. Comparisons are strict, as in the
official code, so equal scores are never right.
"""

import numpy as np
import pandas as pd

from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import mean_metrics

CHANCE = {"text": 1 / 4, "image": 1 / 4, "group": 1 / 6}
"""Right answers among the orders of random distinct scores: one in four, one in four, four in 24."""


def score_items(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return bool columns text, image and group, one row an item.

    - text: for both images, the right caption scores higher: s00 > s10 and s11 > s01.
    - image: for both captions, the right image scores higher: s00 > s01 and s11 > s10.
    - group: both.

    Args:
        predictions: columns s00, s01, s10, s11 (float).
    """
    s00, s01, s10, s11 = (predictions[name].to_numpy(dtype=float) for name in ("s00", "s01", "s10", "s11"))
    if np.isnan([s00, s01, s10, s11]).any():
        raise ValueError("a score is NaN: every pair must be scored before metrics are computed")
    text = (s00 > s10) & (s11 > s01)
    image = (s00 > s01) & (s11 > s10)
    return pd.DataFrame({"text": text, "image": image, "group": text & image}, index=predictions.index)


def winoground_metrics(predictions: pd.DataFrame) -> list[Metric]:
    """Compute text, image and group score over all items, and for each kind as ``text/left_right`` and so on.

    Args:
        predictions: item_id, kind, s00, s01, s10, s11.
    """
    scored, kinds = score_items(predictions), predictions["kind"].astype(str)
    metrics = mean_metrics(scored, chance=CHANCE)
    for kind in sorted(kinds.unique()):
        names = {score: f"{score}/{kind}" for score in CHANCE}
        part = scored[(kinds == kind).to_numpy()].rename(columns=names)
        metrics += mean_metrics(part, chance={names[score]: level for score, level in CHANCE.items()})
    return metrics
