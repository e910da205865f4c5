"""Right or wrong, item by item, from the log-probabilities of a task's texts. Comparisons are strict: a tie is wrong."""

import numpy as np
import pandas as pd

COMPARISONS = {
    "minimal_pairs": [("good", "bad")],
    "ewok": [("c0t0", "c0t1"), ("c1t1", "c1t0")],
    "winoground": [("s00", "s10"), ("s11", "s01")],
}
"""Task kind → the roles an item compares, the right one first. Winoground's are BabyLM's: the right caption is more probable
given the image; an item of one image has the first alone."""


def score_texts(kind: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Score the items of one task and one condition.

    Args:
        kind: of the task, not perplexity. rows: item_id, role, choice, log_prob.

    Returns:
        One row an item, indexed by item_id in sorted order: ``value`` in 0..1 (share of its comparisons that are right),
        ``tie`` (share where both sides are equal) and ``chance``. Ranked answers are right where the answer (choice 0) is
        above every distractor, and tie where the best two texts are equal.

    Raises:
        ValueError: an item lacks a text.
    """
    if kind == "ranked_answers":
        wide = rows.pivot(index="item_id", columns="choice", values="log_prob")
        number = wide.notna().sum(axis=1)
        if wide[0].isna().any() or (number < 2).any():
            raise ValueError("every item needs its answer and at least one distractor")
        scores = wide.fillna(-np.inf).to_numpy(dtype=float)
        best = np.sort(scores, axis=1)[:, -2:]
        value, tie, chance = scores[:, 0] > scores[:, 1:].max(axis=1), best[:, 0] == best[:, 1], 1 / number
    else:
        pairs = COMPARISONS[kind]
        if kind == "winoground" and "s11" not in set(rows["role"]):
            pairs = pairs[:1]
        wide = by_role(rows, [role for pair in pairs for role in pair])
        right, wrong = (np.stack([wide[pair[side]] for pair in pairs]) for side in (0, 1))
        value, tie, chance = (right > wrong).mean(axis=0), (right == wrong).mean(axis=0), 0.5
    return pd.DataFrame({"value": value, "tie": tie, "chance": chance}, index=wide.index, dtype=float)


def by_role(rows: pd.DataFrame, roles: list[str]) -> pd.DataFrame:
    """Return the log-probabilities, one row an item (sorted by item_id), one float64 column a role.

    Raises:
        ValueError: an item lacks one of the roles.
    """
    wide = rows.pivot(index="item_id", columns="role", values="log_prob").reindex(columns=roles)
    if wide.isna().to_numpy().any():
        item = wide.index[wide.isna().any(axis=1)][0]
        raise ValueError(f"item {item} lacks one of {', '.join(roles)}")
    return wide.astype(float)
