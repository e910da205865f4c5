"""The answers logits are over, what each answer of an item scores, and the answer that is chosen."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from compactvl.data.vqa_answers import cleaned, normalise, soft_scores
from compactvl.errors import UserError


def answers_of(dataset: Any) -> list[str]:
    """Return the answers that logits are over, in their order: the fact ``answers`` of a :class:`CanonicalSet`'s manifest.

    Raises:
        UserError: the manifest lists none, or one twice.
    """
    answers = dataset.manifest.get("answers", ())
    if len(answers) < 2 or len(set(answers)) != len(answers):
        raise UserError(
            f"data set {dataset.name!r} lists {len(set(answers))} different answers in its manifest (`answers`), "
            "two or more are needed; choose another data set, or curate it again"
        )
    return list(answers)


def answer_scores(name: str, items: pd.DataFrame, answers: Sequence[str]) -> csr_array:
    """Return float64 (items, answers): what each answer would score, by the items' ``answers``, ``answer`` or ``label``.

    See :mod:`compactvl.evaluation.benchmarks.classification`. A row without a right answer in the list is 0 throughout.

    Raises:
        UserError: the items have none of these columns, or a label has no answer.
    """
    if "answers" in items:
        scores = _soft_scores(items["answers"], answers)
    elif "answer" in items:
        place = {answer: column for column, answer in enumerate(answers)}
        columns = items["answer"].map(place)
        scores = [(row, int(column), 1.0) for row, column in enumerate(columns) if not np.isnan(column)]
    elif "label" in items:
        wrong = ~items["label"].isin(range(len(answers)))
        if wrong.any():
            first = items[wrong].iloc[0]
            raise UserError(
                f"data set {name!r}: item {first['item_id']!r} has label {first['label']}, expected 0 to "
                f"{len(answers) - 1} ({', '.join(answers)}); correct it where it comes from"
            )
        scores = [(row, int(label), 1.0) for row, label in enumerate(items["label"])]
    else:
        raise UserError(
            f"data set {name!r}: its items have none of the columns answers, answer and label; choose another data set"
        )
    rows, columns, values = np.array(scores, dtype=float).reshape(-1, 3).T
    return csr_array((values, (rows.astype(int), columns.astype(int))), shape=(len(items), len(answers)))


def _soft_scores(given: pd.Series, answers: Sequence[str]) -> list[tuple[int, int, float]]:
    places: dict[bool, dict[str, list[int]]] = {}
    for normal, form in ((True, normalise), (False, cleaned)):
        places[normal] = defaultdict(list)
        for column, answer in enumerate(answers):
            places[normal][form(answer)].append(column)
    found = []
    for row, text in enumerate(given):
        scores, normal = soft_scores(json.loads(text))
        found += [(row, column, score) for answer, score in scores.items() for column in places[normal].get(answer, ())]
    return found


def choose(
    logits: np.ndarray, scores: np.ndarray, valid: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the answer with the highest logit.

    Args:
        logits: (items, answers). scores: (items, answers), what each answer scores.
        valid: (items, answers) bool, what can be chosen, at least one an item; ``None``: all. The rest is not looked at.

    Returns:
        int (items,): the first best answer; int (items,): how many tie for it; float64 (items,): their mean score.

    Raises:
        ValueError: the shapes differ, or a logit is NaN.
    """
    if logits.shape != scores.shape:
        raise ValueError(f"expected logits for (items, answers) = {scores.shape}, got {logits.shape}")
    valid = np.ones(scores.shape, dtype=bool) if valid is None else valid
    logits = np.where(valid, logits, -np.inf)
    if np.isnan(logits).any():
        raise ValueError("a logit is NaN: every answer must have one before metrics are computed")
    tied = (logits == logits.max(axis=1, keepdims=True)) & valid
    ties = tied.sum(axis=1)
    return tied.argmax(axis=1), ties, np.where(tied, scores, 0.0).sum(axis=1) / ties
