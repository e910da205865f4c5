"""A suite of tasks with answers, judged together: each task, each area of tasks, and the mean of the areas.

A model is asked once for every data set of the suite, whatever tasks are made of its items. Intervals resample clusters of
items, the same ones for all numbers: an image that two tasks ask about is drawn for both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.evaluation.abilities import SuiteModel
from compactvl.evaluation.answers import answer_scores, answers_of, choose
from compactvl.evaluation.classification import classify, items_of
from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import percentiles, resampled_ratios
from compactvl.records.layout import Layout

OVERALL, TASK, AREA = "overall", "task/", "area/"
KEPT = ["task", "area", "item_id", "cluster"]
"""Columns by which an item of a suite is known."""


@dataclass(frozen=True)
class Task:
    """One task: ``area`` it belongs to, ``dataset`` of its items, ``type`` of those that count (``None``: all)."""

    area: str
    dataset: str
    type: str | None = None


def ask(model: SuiteModel, tasks: Mapping[str, Task], layout: Layout, split: str) -> pd.DataFrame:
    """Let a model answer every item of a suite.

    Returns:
        The columns of :func:`compactvl.evaluation.classification.classify`, and ``task`` and ``area``; clusters are told
        apart by data set. An item of two tasks has two rows.

    Raises:
        UserError: a task has no items; or see there.
    """
    answered = {}
    for name in dict.fromkeys(task.dataset for task in tasks.values()):
        dataset = CanonicalSet.open(layout.dataset(name))
        of_set = _OfSet(model, name)
        answered[name] = classify(of_set, dataset.name, dataset.items, answers_of(dataset), split)
    parts = []
    for name, task in tasks.items():
        found = answered[task.dataset]
        found = found if task.type is None else found[found["group"] == task.type]
        if found.empty:
            raise UserError(f"task {name}: data set {task.dataset!r} has no {split} items of type {task.type}")
        parts.append(found.assign(task=name, area=task.area, cluster=task.dataset + ":" + found["cluster"].astype(str)))
    return pd.concat(parts, ignore_index=True)


def item_scores(
    model: SuiteModel, table: pd.DataFrame, sets: Mapping[str, tuple[pd.DataFrame, np.ndarray]]
) -> np.ndarray:
    """Return what another model's answers score for the rows of :func:`ask`'s table: float64 (rows,).

    Args:
        sets: data set → the items it asks, and what each answer scores; see :func:`asked_sets`.
    """
    found = {}
    for name, (items, scores) in sets.items():
        chosen = choose(model.logits(name, items), scores)[2]
        found |= dict(zip(((name, item) for item in items["item_id"]), chosen, strict=True))
    names = table["cluster"].str.partition(":")[0]
    return np.array([found[key] for key in zip(names, table["item_id"], strict=True)])


def asked_sets(tasks: Mapping[str, Task], layout: Layout, split: str) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Return data set → its items of a split, and (items, answers) what each answer scores."""
    sets = {}
    for name in dict.fromkeys(task.dataset for task in tasks.values()):
        dataset = CanonicalSet.open(layout.dataset(name))
        items = items_of(dataset.name, dataset.items, split)
        sets[name] = items, answer_scores(dataset.name, items, answers_of(dataset)).toarray()
    return sets


class _OfSet:
    """A suite's model as the classifier of one of its data sets."""

    def __init__(self, model: SuiteModel, dataset: str) -> None:
        self._model, self._dataset = model, dataset

    def logits(self, items: pd.DataFrame) -> np.ndarray:
        return self._model.logits(self._dataset, items)


def task_shares(table: pd.DataFrame) -> tuple[list[str], np.ndarray, dict[str, np.ndarray]]:
    """Return the tasks of predictions, (items, tasks) bool, which task's an item is, and what each number is a mean of.

    Returns:
        ``overall``, ``area/<area>``, ``task/<task>`` → (tasks,) shares that sum to 1: areas weigh the same, and within one
        its tasks.
    """
    areas = dict(zip(table["task"], table["area"], strict=True))
    tasks = list(areas)
    member = table["task"].to_numpy(dtype=object)[:, None] == np.array(tasks, dtype=object)
    names = list(dict.fromkeys(areas.values()))
    shares = {}
    for area in names:
        own = np.array([areas[task] == area for task in tasks], dtype=float)
        shares[f"{AREA}{area}"] = own / own.sum()
    overall = np.mean(list(shares.values()), axis=0)
    single = {f"{TASK}{task}": row for task, row in zip(tasks, np.eye(len(tasks)), strict=True)}
    return tasks, member, {OVERALL: overall, **shares, **single}


def suite_metrics(table: pd.DataFrame, columns: Mapping[str, Sequence[float]], chance: bool = True) -> list[Metric]:
    """Compute every number of :func:`task_shares` of some scores of the items.

    Args:
        table: from :func:`ask`. columns: prefix of the metrics' names → score an item. chance: whether these have a chance
            level, the table's.
    """
    _, member, shares = task_shares(table)
    counts = member.sum(axis=0)
    level = (member * table["chance"].to_numpy()[:, None]).sum(axis=0) / counts if chance else None
    sums = np.concatenate([member * np.asarray(values, dtype=float)[:, None] for values in columns.values()], axis=1)
    of_all = np.tile(member.astype(float), len(columns))
    metrics, means, draws = [], *resampled_ratios(sums, of_all, table["cluster"].to_numpy())
    for number, prefix in enumerate(columns):
        own = slice(number * len(counts), (number + 1) * len(counts))
        for name, share in shares.items():
            interval = percentiles((draws[:, own] @ share)[:, None])[0]
            expected = None if level is None else float(level @ share)
            items = int(counts[share > 0].sum())
            metrics.append(Metric(f"{prefix}{name}", float(means[own] @ share), *interval, items, expected, True))
    return metrics
