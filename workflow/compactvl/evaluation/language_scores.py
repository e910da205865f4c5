"""Right or wrong, item by item, from the log-probabilities of a task's texts. Comparisons are strict: a tie is wrong.

Every function takes the rows of one task and one condition (item_id, role, choice, log_prob) and returns one row an
item, indexed by item_id in sorted order: ``value`` in 0..1, ``tie`` (share of its comparisons where both sides are
equal) and ``chance``.
"""

import numpy as np
import pandas as pd

from compactvl.evaluation.winoground import score_items

CHANCE_OF_TWO = 0.5


def score_minimal_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Right where the good sentence is more probable than the bad one."""
    wide = by_role(rows, ["good", "bad"])
    return _scored([wide["good"] > wide["bad"]], [wide["good"] == wide["bad"]])


def score_ewok(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean of two comparisons: target 0 is likelier after context 0 than target 1, and target 1 after context 1."""
    wide = by_role(rows, ["c0t0", "c0t1", "c1t0", "c1t1"])
    return _scored(
        [wide["c0t0"] > wide["c0t1"], wide["c1t1"] > wide["c1t0"]],
        [wide["c0t0"] == wide["c0t1"], wide["c1t1"] == wide["c1t0"]],
    )


def score_ranked_answers(rows: pd.DataFrame) -> pd.DataFrame:
    """Right where the answer (choice 0) is above every distractor; a tie where the best two texts are equal."""
    wide = rows.pivot(index="item_id", columns="choice", values="log_prob")
    number = wide.notna().sum(axis=1).to_numpy()
    if wide[0].isna().any() or (number < 2).any():
        raise ValueError("every item needs its answer and at least one distractor")
    scores = wide.fillna(-np.inf).to_numpy(dtype=float)
    best = np.sort(scores, axis=1)[:, -2:]
    right = scores[:, 0] > scores[:, 1:].max(axis=1)
    return pd.DataFrame(
        {"value": right.astype(float), "tie": (best[:, 0] == best[:, 1]).astype(float), "chance": 1 / number},
        index=wide.index,
    )


def score_winoground(rows: pd.DataFrame) -> pd.DataFrame:
    """BabyLM's form: the right caption is more probable given the image; mean over an item's images."""
    if "s11" in set(rows["role"]):
        wide = by_role(rows, ["s00", "s01", "s10", "s11"])
        return _scored(
            [wide["s00"] > wide["s10"], wide["s11"] > wide["s01"]],
            [wide["s00"] == wide["s10"], wide["s11"] == wide["s01"]],
        )
    wide = by_role(rows, ["s00", "s10"])
    return _scored([wide["s00"] > wide["s10"]], [wide["s00"] == wide["s10"]])


def score_winoground_officially(rows: pd.DataFrame) -> pd.DataFrame:
    """Text, image and group of two-image items, see :func:`compactvl.evaluation.winoground.score_items`."""
    return score_items(by_role(rows, ["s00", "s01", "s10", "s11"])).astype(float)


SCORES = {
    "minimal_pairs": score_minimal_pairs,
    "ewok": score_ewok,
    "ranked_answers": score_ranked_answers,
    "winoground": score_winoground,
}
"""Task kind → score; perplexity has no right and wrong."""


def by_role(rows: pd.DataFrame, roles: list[str], values: str = "log_prob") -> pd.DataFrame:
    """Return one row an item (sorted by item_id), one float column a role.

    Raises:
        ValueError: an item lacks one of the roles.
    """
    wide = rows.pivot(index="item_id", columns="role", values=values).reindex(columns=roles)
    if wide.isna().to_numpy().any():
        item = wide.index[wide.isna().any(axis=1)][0]
        raise ValueError(f"item {item} lacks one of {', '.join(roles)}")
    return wide.astype(float)


def _scored(right: list[pd.Series], ties: list[pd.Series]) -> pd.DataFrame:
    """Join an item's comparisons of two texts each."""
    value, tie = (np.mean([one.to_numpy(dtype=float) for one in part], axis=0) for part in (right, ties))
    return pd.DataFrame({"value": value, "tie": tie, "chance": CHANCE_OF_TWO}, index=right[0].index)
