"""Results of answers to items, and the tables and curves that studies of them share."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.results import read_result
from compactvl.reporting.study import NotRun, StudyResults, over_seeds
from compactvl.reporting.style import PALETTE, grid, legend_below, percent_axis
from compactvl.reporting.tables import MISSING, per_cent

LATENCY = "latency"
"""The benchmark by which answers are timed."""


class AnswersResults(StudyResults):
    """Metrics and predictions of variants that answer items, and what they were timed on."""

    SCORES: ClassVar[Mapping[str, str]] = {}
    """Task → the metric it is judged by; others by ``accuracy``, or ``vqa_score``."""

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """See :class:`StudyResults`: what each answer scored.

        With metric ``macro`` strata are the types of item; ``consistency`` has an item a statement.
        """
        tables = list(self.predictions(variant, benchmark).values())
        if not tables:
            return None
        if metric == "consistency":
            whole = over_seeds([table.groupby("sentence_id")["score"].prod() for table in tables])
            return whole.assign(cluster=whole.index.to_numpy())
        rows = tables[0].set_index("item_id")
        found = over_seeds([table.set_index("item_id")["score"] for table in tables]).assign(cluster=rows["cluster"])
        if "/" in metric:
            return found[rows["group"] == metric.partition("/")[2]]
        return found.assign(stratum=rows["group"]) if metric == "macro" else found

    def score(self, task: str) -> str:
        """Return the metric a task is judged by: see :data:`SCORES`."""
        found = set(self.metrics.loc[self.metrics["benchmark"] == task, "metric"])
        return next((one for one in (self.SCORES.get(task), "vqa_score") if one in found), "accuracy")

    @property
    def timed_on(self) -> dict[str, Any]:
        """What the timings depend on: device, threads, precision, processor; empty where nothing was timed."""
        paths = sorted((self.results / self.study).glob(f"*/seed*/{LATENCY}.json"))
        return read_result(paths[0]).get("environment", {}) if paths else {}


def types_table(study: AnswersResults, task: str, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the score by type of item (rows) of some variants (columns), and how many items it has."""
    variants = study.measured(task, variants)
    if not variants:
        return NotRun(f"none of these variants was evaluated on {task}")
    names = study.metrics.loc[study.metrics["benchmark"] == task, "metric"].unique()
    rows = []
    for name in sorted(name for name in names if "/" in name):
        found = {variant: study.estimate(variant, task, name) for variant in variants}
        first = next(one for one in found.values() if one)
        row = {
            "type": name.partition("/")[2].replace("_", " "),
            "items": str(first.n),
            "chance": f"{100 * first.chance:.1f}",
        }
        rows.append(row | {study.label(variant): per_cent(one) for variant, one in found.items()})
    return pd.DataFrame(rows) if rows else NotRun(f"{task} has one type of item")


def floor_table(study: AnswersResults, sets: Mapping[str, CanonicalSet | None]) -> pd.DataFrame | NotRun:
    """Return what each task's test items give without a look at any image: the commonest answer, and the best guess from the
    text alone, as their data sets' manifests say.
    """
    rows = []
    for task, dataset in sets.items():
        if dataset is None:
            continue
        facts = dataset.manifest
        rows.append(
            {
                "task": study.metric_label(task),
                "answers": str(len(facts["answers"])) if "answers" in facts else "boxes",
                "commonest answer": _share(facts.get("majority")),
                "text alone": _share(facts.get("blind", facts.get("chance"))),
            }
        )
    return pd.DataFrame(rows) if rows else NotRun("the tasks' data sets are not on disk")


def _share(fact: object) -> str:
    """A manifest's number of the test split: a share, or the mean of shares by type."""
    found = fact.get("test") if isinstance(fact, dict) else fact
    if isinstance(found, dict):
        found = found.get("all", sum(found.values()) / len(found))
    return MISSING if found is None else f"{100 * found:.1f}"


def training_curves(study: StudyResults, variants: Sequence[str]) -> Figure | NotRun:
    """Draw the training loss' parts and the validation score of variants against the items seen; a line a variant and seed."""
    logs = {variant: list(tables.values()) for variant in variants if (tables := study.log(variant))}
    titles = {"score": "Training score", "val_score": "Validation score", "attention": "Attention distillation loss"}
    panels = [name for name in titles if any(name in table for tables in logs.values() for table in tables)]
    if not panels:
        return NotRun("none of these variants has a training log")
    figure, axes = grid(len(panels), 3, 2.6, foot=0.6)
    for panel, name in zip(axes, panels, strict=True):
        scale = 1 if name == "attention" else 100
        for (variant, tables), colour in zip(logs.items(), PALETTE * 3, strict=False):
            for number, table in enumerate(tables):
                part = table.reindex(columns=["seen", name]).dropna()
                look = {"marker": "o", "markersize": 3} if name == "val_score" else {}
                label = None if number else study.label(variant)
                if len(part):
                    panel.plot(part["seen"], scale * part[name], color=colour, label=label, linewidth=1.2, **look)
        panel.set_title(titles[name])
        panel.set_xlabel("items seen")
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if name == "attention":
            panel.set_ylabel("nats")
        else:
            percent_axis(panel, "%")
    legend_below(figure, ncols=2)
    return figure
