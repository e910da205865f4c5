"""What a study tells the benchmark's front page of its main models: one row a model, in columns that all studies share."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from compactvl.reporting.study import Estimate, StudyResults

OVERVIEW = "overview"
"""Name of the table, ``results/figures/<study>/overview.csv``."""
OFTEN = 16
"""Questions over which an image's share of the time is spread; as many are answered at once, or the most that were timed."""
TIMED = re.compile(r"ms/own/batch(\d+)")


class Task(NamedTuple):
    """A shared task.

    Attributes:
        title: for readers. benchmarks: names of those that ask the same test items. metrics: whose mean is its score.
    """

    title: str
    benchmarks: tuple[str, ...]
    metrics: tuple[str, ...]


TASKS = {
    "scene_qa": Task("Scene QA, mean over types", ("scene_qa",), ("macro",)),
    "easy_vqa": Task("easy-VQA, colour and shape", ("easy_vqa", "easy_open"), ("accuracy/colour", "accuracy/shape")),
    "t2i": Task("Scenes, text to image R@1", ("scenes",), ("t2i_r1",)),
    "i2t": Task("Scenes, image to text R@1", ("scenes",), ("i2t_r1",)),
}
"""Shared tasks; the test items of each are the same whatever the study. In per cent."""
COSTS = {
    "parameters": "Parameters (M)",
    "online": "of them online (M)",
    "storage": "kB stored an image",
    "ms": "ms a question or pair",
}
"""Costs. Online is what is computed with every question; times are of the benchmark `latency`."""


class Model(NamedTuple):
    """A main model.

    Attributes:
        name: for readers. variant: that stands for it: its run, its size.
        others: task → variant that was trained on it, where that is another one.
        offline: parts that are computed once an image, not with every question. storage: decimal kB an image.
        timed: variant of the same sizes that was timed; ``None``: ``variant``.
    """

    name: str
    variant: str
    others: Mapping[str, str] = {}
    offline: Sequence[str] = ()
    storage: float | None = None
    timed: str | None = None


def overview(study: StudyResults, models: Sequence[Model]) -> pd.DataFrame:
    """Return the study's models that were run, with what was measured of each.

    Returns:
        Columns study, model, variant, then for each of :data:`TASKS` its score, ``_low`` and ``_high`` (per cent), then
        :data:`COSTS`; empty cells where it was not measured.
    """
    rows = []
    for model in models:
        if model.variant not in study.variants:
            continue
        row: dict[str, object] = {"study": study.study, "model": model.name, "variant": model.variant}
        for name, task in TASKS.items():
            found = _score(study, model.others.get(name, model.variant), task)
            row |= {f"{name}{end}": found and round(100 * getattr(found, part), 1)
                    for end, part in (("", "value"), ("_low", "low"), ("_high", "high"))}  # fmt: skip
        rows.append(row | _costs(study, model))
    names = [f"{name}{end}" for name in TASKS for end in ("", "_low", "_high")]
    return pd.DataFrame(rows, columns=["study", "model", "variant", *names, *COSTS])


def _score(study: StudyResults, variant: str, task: Task) -> Estimate | None:
    """The mean of a task's metrics; an interval is the mean of theirs, which is a little too wide."""
    for benchmark in task.benchmarks:
        found = [study.estimate(variant, benchmark, metric) for metric in task.metrics]
        if all(found):
            return Estimate(*(sum(values) / len(found) for values in zip(*(one[:3] for one in found), strict=True)))
    return None


def _costs(study: StudyResults, model: Model) -> dict[str, float | None]:
    own = study.parameters[study.parameters["variant"] == model.variant]
    online = own[~own["part"].isin(model.offline)]
    timed, table = model.timed or model.variant, study.metrics
    names = table.loc[(table["variant"] == timed) & (table["benchmark"] == "latency"), "metric"]
    batches = [int(found[1]) for found in map(TIMED.fullmatch, names) if found]
    name = f"ms/own/batch{OFTEN if OFTEN in batches else max(batches, default=OFTEN)}"
    ms = study.estimate(timed, "latency", f"{name}/questions{OFTEN}") or study.estimate(timed, "latency", name)
    return {
        "parameters": round(own["parameters"].sum() / 1e6, 3) if len(own) else None,
        "online": round(online["parameters"].sum() / 1e6, 3) if len(own) else None,
        "storage": model.storage,
        "ms": ms and round(ms.value, 3),
    }
