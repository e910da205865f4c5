"""Metrics at epoch boundaries, from the training logs: how steadily a curriculum learns."""

import numpy as np
import pandas as pd

from compactvl.reporting.gating.labels import TASKS, task_label
from compactvl.reporting.study import StudyResults

MONITORED = "val_"


def checkpoints(study: StudyResults, variant: str) -> pd.DataFrame | None:
    """Return epoch, step and the monitored metrics by task, a row a checkpoint, mean over seeds; ``None`` if absent."""
    tables = []
    for log in study.log(variant).values():
        columns = [c for c in log if c.startswith(MONITORED)]
        if "epoch" not in log or not columns:
            continue
        rows = log[["epoch", "step", *columns]].apply(pd.to_numeric, errors="coerce")
        rows = rows[rows["epoch"].notna()].dropna(how="all", subset=columns)
        if len(rows):
            tables.append(rows.groupby("epoch", as_index=False).last())
    if not tables:
        return None
    table = pd.concat(tables).groupby("epoch", as_index=False).mean()
    return table.rename(columns=lambda name: name.removeprefix(MONITORED))


def monitored_tasks(tables: list[pd.DataFrame]) -> list[str]:
    """Return the tasks monitored in any of these tables, in the order of :data:`TASKS`, then others by name."""
    found = {name for table in tables for name in table if name not in ("epoch", "step")}
    return [*(task for task in TASKS if task in found), *sorted(found - set(TASKS))]


def is_perplexity(task: str) -> bool:
    """Whether a task is a perplexity: shown on a logarithmic scale, steps counted in its logarithm."""
    return task.endswith("perplexity")


def changes(table: pd.DataFrame, task: str) -> np.ndarray:
    """Return the changes between consecutive checkpoints: of a share, or of a perplexity's logarithm."""
    values = table[task].dropna().to_numpy(dtype=float) if task in table else np.array([])
    return np.diff(np.log(values) if is_perplexity(task) else values)


def oscillation(table: pd.DataFrame, task: str) -> float | None:
    """Return the mean absolute change between consecutive checkpoints, or ``None`` with fewer than two."""
    found = changes(table, task)
    return float(np.abs(found).mean()) if len(found) else None


def reversals(table: pd.DataFrame, task: str) -> tuple[int, int] | None:
    """Return how often a change was followed by one of the other sign, and of how many; ``None`` without any."""
    found = changes(table, task)
    return (int((found[1:] * found[:-1] < 0).sum()), len(found) - 1) if len(found) > 1 else None


def monitored_title(task: str) -> str:
    """Return a monitored task's axis title with its unit."""
    return task_label(task) + ("" if is_perplexity(task) else " (%)")
