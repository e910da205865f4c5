"""Tables of ESsEN's report as data frames of finished text."""

from collections.abc import Sequence

import pandas as pd

from compactvl.evaluation.statistics import Interval
from compactvl.reporting.claims import signed
from compactvl.reporting.paired import Measure, difference
from compactvl.reporting.study import NotRun
from compactvl.reporting.tables import MISSING, per_cent
from compactvl.studies.essen.report.results import EssenResults


def arms_table(study: EssenResults, task: str, variants: Sequence[str], base: str) -> pd.DataFrame | NotRun:
    """Return each variant's parameters, score on a task, paired difference to ``base``, and training speed; and chance."""
    variants = study.measured(task, variants)
    if not variants:
        return NotRun(f"none of these variants was evaluated on {task}")
    metric, rows = study.score(task), []
    for variant in variants:
        size, speed = study.size(variant), study.speed(variant)
        found = None
        if variant != base:
            found = difference(study, (Measure(variant, task, metric), Measure(base, task, metric)))
        rows.append(
            {
                "model": study.label(variant),
                "parameters": MISSING if size is None else f"{size / 1e6:.2f} M",
                study.metric_label(metric): per_cent(study.estimate(variant, task, metric)),
                f"to {study.label(base)}": in_points(found),
                "items a second": MISSING if speed is None else f"{speed:,.0f}",
            }
        )
    chance = study.estimate(variants[0], task, metric).chance
    return pd.DataFrame([*rows, {"model": "Chance", study.metric_label(metric): f"{100 * chance:.1f}"}]).fillna(MISSING)


def shapes_table(study: EssenResults, task: str, variant: str) -> pd.DataFrame | NotRun:
    """Return the shapes of cross-modal layers that were tried between the same towers."""
    variants = study.measured(task, study.shapes(variant))
    if len(variants) < 2:
        return NotRun("one shape of the cross-modal layers was evaluated")
    metric, rows = study.score(task), []
    for one in variants:
        fusion = study.settings(one)["model"]["fusion"]
        size = study.size(one, "cross-modal layers")
        row = {"width / hidden × layers": f"{fusion['width']} / {fusion['hidden']} × {fusion['layers']}"}
        row |= {"heads": str(fusion["heads"]), "their parameters": MISSING if size is None else f"{size:,}"}
        pair = None if one == variant else (Measure(one, task, metric), Measure(variant, task, metric))
        row |= {study.metric_label(metric): per_cent(study.estimate(one, task, metric))}
        rows.append(row | {f"to {study.label(variant)}": in_points(difference(study, pair) if pair else None)})
    return pd.DataFrame(rows)


def converged_table(study: EssenResults, task: str, variants: Sequence[str]) -> pd.DataFrame | NotRun:
    """Return the share of the images and the last two validation scores: whether a run had still been rising."""
    rows = []
    for variant in study.measured(task, variants):
        found = study.rise(variant)
        if found is None:
            continue
        before, last = found
        rows.append(
            {
                "model": study.label(variant),
                "share of the images": f"{study.share(variant):g}",
                "validation before the last": f"{100 * before:.1f}",
                "last": f"{100 * last:.1f}",
                "change": signed(100 * (last - before), 1),
            }
        )
    return pd.DataFrame(rows) if rows else NotRun("no run was validated twice")


def in_points(interval: Interval | None) -> str:
    """Return a difference in points: ``+5.1 [+2.0, +8.2]``."""
    if interval is None:
        return MISSING
    mean, low, high = (signed(100 * value, 1) for value in interval)
    return f"{mean} [{low}, {high}]"
