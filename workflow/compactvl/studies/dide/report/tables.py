"""Tables of DiDE's report as data frames of finished text."""

from collections.abc import Sequence

import pandas as pd

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.answers import LATENCY
from compactvl.reporting.paired import Measure, difference
from compactvl.reporting.study import NotRun
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.studies.dide.report.results import SCENES, DideResults


def accuracy_table(study: DideResults, task: str, *, dual: str, teacher: str) -> pd.DataFrame | NotRun:
    """Return a task's score of each variant, and its paired difference to the plain dual encoder and to the teacher.

    Args:
        dual, teacher: whom variants are compared with.
    """
    variants = study.of_task(task)
    if not variants:
        return NotRun(f"no variant was evaluated on {task}")
    metric, rows = study.score(task), []
    others = [m for m in ("accuracy", "vqa_score", "consistency") if m != metric]
    others = [m for m in others if study.estimate(variants[0], task, m)]
    for variant in variants:
        row = {
            "model": study.label(variant),
            study.metric_label(metric): per_cent(study.estimate(variant, task, metric)),
        }
        row |= {study.metric_label(other): per_cent(study.estimate(variant, task, other)) for other in others}
        for title, base in ((f"to {study.label(dual)}", dual), ("to the teacher", teacher)):
            measures = Measure(variant, task, metric), Measure(base, task, metric)
            row[title] = _points(None if variant == base else difference(study, measures))
        rows.append(row)
    found = study.estimate(variants[0], task, metric)
    return pd.DataFrame([*rows, {"model": "Chance", study.metric_label(metric): f"{100 * found.chance:.1f}"}]).fillna(
        MISSING
    )


def retrieval_table(study: DideResults, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return R@1, R@5 and R@10 of dual encoders that were trained to retrieve, both directions, and chance."""
    variants = study.measured(SCENES, variants)
    if not variants:
        return NotRun(f"no variant was evaluated on {SCENES}")
    metrics = {f"{n} R@{k}": f"{d}_r{k}" for d, n in (("t2i", "T→I"), ("i2t", "I→T")) for k in (1, 5, 10)}
    rows = []
    for variant in variants:
        found = {name: study.estimate(variant, SCENES, metric) for name, metric in metrics.items()}
        rows.append(
            {"model": study.label(variant)} | {n: per_cent(e, interval=n.endswith("@1")) for n, e in found.items()}
        )
    chance = {name: f"{100 * estimate.chance:.1f}" for name, estimate in found.items()}
    return pd.DataFrame([*rows, {"model": "Chance"} | chance])


def latency_table(study: DideResults, *, teacher: str, dual: str) -> pd.DataFrame | NotRun:
    """Return milliseconds a question of both encoders by size and batch, and how many times as fast the dual one is: with the
    image's features cached, and computed once for so many questions.
    """
    table = study.metrics[(study.metrics["benchmark"] == LATENCY) & (study.metrics["variant"] == dual)]
    rows = []
    for name in table["metric"]:
        parts = name.split("/")
        base = study.estimate(teacher, LATENCY, "/".join(parts[:3]))
        own = study.estimate(dual, LATENCY, name)
        if base is None:
            continue
        image = "cached" if len(parts) == 3 else f"once for {parts[3].removeprefix('questions')}"
        rows.append(
            {
                "size": parts[1],
                "questions at once": parts[2].removeprefix("batch"),
                "image": image,
                "fusion, ms": per_cent(base, scale=1),
                "dual, ms": per_cent(own, scale=1),
                "times as fast": f"{base.value / own.value:.1f}",
            }
        )
    return pd.DataFrame(rows) if rows else NotRun("nothing was timed")


def _points(interval: Interval | None) -> str:
    if interval is None:
        return MISSING
    mean, low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in interval)
    return f"{mean} [{low}, {high}]"
