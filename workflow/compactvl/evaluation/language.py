"""Language benchmarks: tables of items become requests for log-probabilities, and those become metrics.

A request asks for log P(continuation | BOS, context, image): summed over the continuation's tokens in float32 or
better, and over the end-of-text token too where ``ends``. A continuation after a context begins with the space
between them. The model adds the columns ``log_prob`` (float) and ``tokens`` (int: the terms of the sum); everything
else is computed here, so it can be computed again from the predictions alone.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.language_requests import group_of, images_of, other_images, spread_evenly, task_forms
from compactvl.evaluation.language_scores import by_role, score_texts
from compactvl.evaluation.language_tasks import LanguageTask
from compactvl.evaluation.results import Metric
from compactvl.evaluation.statistics import bootstrap_ratios, stratified_bootstrap
from compactvl.evaluation.winoground import CHANCE, score_items

CONTROLS = {"none": "no_image", "other": "other_image"}
MACRO = ("minimal_pairs", "ewok")
"""Kinds whose headline is the mean of their groups' means, as in BLiMP and EWoK."""
CONTEXT_AND_TEXT = ["context", "continuation"]
"""Columns of the requests that predictions on disk leave out."""


def build_requests(name: str, task: LanguageTask, items: pd.DataFrame, conditions: Sequence[str]) -> pd.DataFrame:
    """Return one row a text to be scored, by condition, then item, then choice.

    Args:
        name: of the task. task: its settings.
        items: the data set's items table; rows of other splits are left out, then ``task.max_items`` are taken.
        conditions: own, none, other. ``own`` gives the item's image, ``none`` no image, ``other`` another item's (see
            :func:`other_images`). A task without images has ``none`` only.

    Returns:
        task, kind, condition, item_id, cluster (items resampled together: those of one image), group, choice, role,
        context, continuation, ends, image_id ("": no image), words (of the continuation, its end counted where
        ``ends``).

    Raises:
        UserError: the table lacks a column, has no item of the split, an item names no image, or fewer than two
            images are there to exchange.
    """
    items = items[items["split"] == task.split]
    items = items.iloc[spread_evenly(group_of(task, items), task.max_items)].reset_index(drop=True)
    if items.empty:
        raise UserError(f"task {name}: data set {task.dataset} has no items of split {task.split}; name another split")
    forms = task_forms(name, task, items)
    rows = forms["row"].to_numpy()
    # Items of one image depend on each other; an item that names none is its own cluster.
    ids = items["item_id"].to_numpy(dtype=object)
    shared = items["image_id"].to_numpy(dtype=object) if "image_id" in items else ids
    table = pd.DataFrame(
        {
            "task": name,
            "kind": task.kind,
            "condition": "none",
            "item_id": ids[rows],
            "cluster": np.where(shared == "", ids, shared)[rows],
            "group": group_of(task, items)[rows],
            **{column: forms[column] for column in ("choice", "role", *CONTEXT_AND_TEXT, "ends")},
            "image_id": "",
            "words": forms["continuation"].map(lambda text: len(text.split())) + forms["ends"],
        }
    )
    if task.images is None:
        return table
    images = images_of(name, task, items)
    own = pd.Series(images[rows, forms["image"].to_numpy()])
    shown = {"own": own, "none": ""}
    if "other" in conditions:
        try:
            shown["other"] = own.map(other_images(images))
        except ValueError as error:
            raise UserError(f"task {name}: {error}; raise max_items or leave condition `other` out") from None
    parts = [table.assign(condition=condition, image_id=shown[condition]) for condition in conditions]
    return pd.concat(parts, ignore_index=True)


def language_metrics(predictions: pd.DataFrame, tasks: Mapping[str, LanguageTask]) -> list[Metric]:
    """Compute every task's metrics.

    ``<task>`` is measured with the items' own images (without, where a task has none): a share of right items, the
    mean of the groups' shares for minimal pairs and EWoK, or the perplexity. Further:

    - ``<task>_text``, ``_image``, ``_group``: Winoground's official scores, for items of two images
    - ``<task>_per_word``: perplexity a word instead of a token; the text's end counts as one
    - ``<task>_no_image``, ``<task>_other_image``: the controls
    - ``<task>_ties``: share of comparisons (those of ``<task>``) whose best two texts are equally probable
    - ``<task>/<group>``: each group's share

    Intervals resample clusters of items, within groups where groups are averaged.

    Args:
        predictions: the requests' columns (texts not needed) and log_prob, tokens. tasks: name → settings.

    Raises:
        ValueError: a log-probability is NaN, or a task's main condition has no predictions.
    """
    if predictions["log_prob"].isna().any():
        raise ValueError("a log-probability is NaN: every request must be scored before metrics are computed")
    metrics = []
    for name, task in tasks.items():
        rows = predictions[predictions["task"] == name]
        by_condition = dict(iter(rows.groupby("condition", sort=False)))
        main = next((condition for condition in ("own", "none") if condition in by_condition), None)
        if main is None:
            raise ValueError(f"task {name} has no predictions with the own image or without one")
        rows = by_condition.pop(main)
        controls = {f"{name}_{CONTROLS[condition]}": part for condition, part in by_condition.items()}
        if task.kind == "perplexity":
            metrics += _perplexities(name, rows, controls)
        else:
            metrics += _shares(name, task.kind, rows, controls)
    return metrics


def _shares(name: str, kind: str, main: pd.DataFrame, controls: Mapping[str, pd.DataFrame]) -> list[Metric]:
    """Metrics of a task whose items are right or wrong; ``main`` and ``controls`` hold one condition's rows each."""
    scored = score_texts(kind, main)
    facts = main.drop_duplicates("item_id").set_index("item_id").loc[scored.index, ["group", "cluster"]]
    groups, clusters = (facts[column].to_numpy(dtype=object) for column in ("group", "cluster"))
    one = np.full(len(scored), "", dtype=object)

    def metric(name: str, values: pd.Series, chance: float | None, strata: np.ndarray = one) -> Metric:
        interval, _ = stratified_bootstrap(values, strata, clusters)
        return Metric(name, *interval, len(values), chance, higher_is_better=chance is not None)

    strata, chance = groups if kind in MACRO else one, float(scored["chance"].mean())
    metrics = [metric(name, scored["value"], chance, strata)]
    if kind == "winoground" and "s11" in set(main["role"]):
        official = score_items(by_role(main, ["s00", "s01", "s10", "s11"]))
        metrics += [metric(f"{name}_{part}", official[part], level) for part, level in CHANCE.items()]
    for control, rows in controls.items():
        metrics.append(metric(control, score_texts(kind, rows)["value"].loc[scored.index], chance, strata))
    metrics.append(metric(f"{name}_ties", scored["tie"], None))
    if set(groups) != {""}:
        _, parts = stratified_bootstrap(scored["value"], groups, clusters)
        for group, interval in parts.items():
            mine = scored["chance"][groups == group]
            metrics.append(Metric(f"{name}/{group}", *interval, len(mine), float(mine.mean()), True))
    return metrics


def _perplexities(name: str, main: pd.DataFrame, controls: Mapping[str, pd.DataFrame]) -> list[Metric]:
    """Perplexities ``exp(-Σ log_prob / Σ units)`` of all conditions, over the same resamples."""
    main = main.set_index("item_id")
    named = {name: (main, "tokens"), f"{name}_per_word": (main, "words")}
    named |= {control: (rows.set_index("item_id").loc[main.index], "tokens") for control, rows in controls.items()}
    loss = -np.stack([rows["log_prob"].to_numpy(dtype=float) for rows, _ in named.values()], axis=1)
    units = np.stack([rows[unit].to_numpy(dtype=float) for rows, unit in named.values()], axis=1)
    # exp is monotone, so the percentiles of the perplexity are those of the loss.
    intervals = np.exp(bootstrap_ratios(loss, units, main["cluster"])).tolist()
    return [
        Metric(metric_name, *interval, n=len(main), chance=None, higher_is_better=False)
        for metric_name, interval in zip(named, intervals, strict=True)
    ]
