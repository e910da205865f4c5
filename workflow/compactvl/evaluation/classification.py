"""Choosing among answers: from logits to predictions, and from predictions to metrics.

Where answers tie for the best, an item counts with the mean of their scores: the expected score of a random choice among
them. So a model that gives all answers the same logit is measured at chance, whatever their order.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.abilities import Classifier
from compactvl.evaluation.answers import answer_scores, choose
from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import mean_metrics, stratified_bootstrap

LOGITS_A_BLOCK = 1 << 26
"""A model is asked for about so many logits at a time: 256 MiB of them."""
CLUSTERS = ("image_id", "sentence_id", "image_0")
"""Items that share the first of these that they have depend on each other, and are resampled together."""


def classify(model: Classifier, name: str, items: pd.DataFrame, answers: Sequence[str], split: str) -> pd.DataFrame:
    """Let a model choose an answer for every item of a split.

    Args:
        model: gives logits. name: of the data set, for messages. items: its table, all splits.
        answers: see :func:`compactvl.evaluation.answers.answers_of`.

    Returns:
        One row an item: item_id, cluster (see ``CLUSTERS``), group (its type, or ""), prediction and target (texts: of tied
        answers the first, of the annotators' the commonest), score, ties (answers with the highest logit), chance (the
        score expected of a random answer), and answers and sentence_id where items have them. Where the set has training items
        too: majority and group_majority, the scores of the answer that scores best on those (of the item's group).

    Raises:
        UserError: no items, or see :func:`compactvl.evaluation.answers.answer_scores`. ValueError: a logit is NaN, or there are too many or few.
    """
    asked = items_of(name, items, split)
    scores, blocks = answer_scores(name, asked, answers), math.ceil(len(asked) * len(answers) / LOGITS_A_BLOCK)
    parts = [
        choose(model.logits(asked.iloc[rows]), scores[rows].toarray())
        for rows in np.array_split(np.arange(len(asked)), blocks)
    ]
    best, ties, score = (np.concatenate(part) for part in zip(*parts, strict=True))
    named = np.array(answers, dtype=object)
    predictions = describe(asked).assign(
        prediction=named[best], target=_targets(asked, named), score=score, ties=ties, chance=scores.mean(axis=1)
    )
    for column in ("answers", "sentence_id"):
        if column in asked:
            predictions[column] = asked[column]
    train = items[items["split"] == "train"].reset_index(drop=True)
    if len(train):
        taught, groups = answer_scores(name, train, answers), describe(train)["group"]
        columns = {group: taught[np.flatnonzero(groups == group)].sum(axis=0).argmax() for group in set(groups)}
        commonest = taught.sum(axis=0).argmax()
        by_group = [columns.get(group, commonest) for group in predictions["group"]]
        for column, constant in (("majority", [commonest] * len(asked)), ("group_majority", by_group)):
            predictions[column] = [scores[row, answer] for row, answer in enumerate(constant)]
    return predictions


def items_of(name: str, items: pd.DataFrame, split: str) -> pd.DataFrame:
    """Return the items of a split.

    Raises:
        UserError: there are none.
    """
    asked = items[items["split"] == split].reset_index(drop=True)
    if asked.empty:
        raise UserError(f"data set {name!r} has no items of split {split}; name another split")
    return asked


def describe(items: pd.DataFrame) -> pd.DataFrame:
    """Return what predictions say of an item itself: item_id, cluster and group."""
    cluster = next((column for column in CLUSTERS if column in items), "item_id")
    group = items["type"].astype(str) if "type" in items else ""
    return items[["item_id"]].assign(cluster=items[cluster], group=group)


def _targets(items: pd.DataFrame, answers: np.ndarray) -> Any:
    if "answers" in items:
        return items["answers"].map(lambda text: Counter(json.loads(text)).most_common(1)[0][0])
    return items["answer"] if "answer" in items else answers[items["label"].to_numpy(dtype=int)]


def classification_metrics(predictions: pd.DataFrame) -> list[Metric]:
    """Compute every metric, with intervals that resample clusters of items.

    - ``accuracy``, or ``vqa_score`` where annotators gave the answers: the mean score; ``<name>/<group>`` each group's
    - ``macro``: the mean of the groups' means
    - ``consistency``: the share of sentences all of whose items are right, for items with a sentence_id
    - ``majority``, ``group_majority``: what the training items' best answer, overall and by group, scores without a model
    - ``ties``: the share of items with several best answers

    Args:
        predictions: from :func:`classify`, or :func:`compactvl.evaluation.grounding.ground`.
    """
    name = "vqa_score" if "answers" in predictions else "accuracy"
    clusters, groups = (predictions[column].to_numpy(dtype=object) for column in ("cluster", "group"))
    score, chance = predictions["score"], predictions["chance"]
    columns = {name: score, "ties": predictions["ties"] > 1}
    columns |= {column: predictions[column] for column in ("majority", "group_majority") if column in predictions}
    headline, *others = mean_metrics(columns, clusters, {name: chance.mean()}, lower_is_better=("ties",))
    metrics = [headline]
    if len(set(groups)) > 1:
        macro, parts = stratified_bootstrap(score, groups, clusters)
        by_group = chance.groupby(groups).agg(["mean", "size"])
        metrics.append(Metric("macro", *macro, len(predictions), float(by_group["mean"].mean()), True))
        for group, interval in parts.items():
            mean, size = by_group.loc[group]
            metrics.append(Metric(f"{name}/{group}", *interval, int(size), float(mean), True))
    if "sentence_id" in predictions:
        # Ties are broken independently, so that all are right has the product's probability.
        sentences = predictions.groupby("sentence_id")[["score", "chance"]].prod()
        metrics += mean_metrics({"consistency": sentences["score"]}, chance={"consistency": sentences["chance"].mean()})
    return metrics + others
