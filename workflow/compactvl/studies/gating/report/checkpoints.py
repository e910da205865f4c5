"""Metrics at epoch boundaries, from the training logs: how steadily a curriculum learns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from compactvl.reporting.study import StudyResults
from compactvl.studies.gating.report.results import in_order, is_perplexity

MONITORED = "val_"


def seed_checkpoints(study: StudyResults, variant: str) -> list[pd.DataFrame]:
    """Return epoch, step and the monitored metrics by task, a row a checkpoint; a table a seed, empty if absent."""
    tables = []
    for log in study.log(variant).values():
        columns = [c for c in log if c.startswith(MONITORED)]
        if "epoch" not in log or not columns:
            continue
        rows = log[["epoch", "step", *columns]].apply(pd.to_numeric, errors="coerce")
        rows = rows[rows["epoch"].notna()].dropna(how="all", subset=columns)
        if len(rows):
            table = rows.groupby("epoch", as_index=False).last()
            tables.append(table.rename(columns=lambda name: name.removeprefix(MONITORED)))
    return tables


def checkpoints(study: StudyResults, variant: str) -> pd.DataFrame | None:
    """Return :func:`seed_checkpoints` averaged over seeds, as the curves are drawn; ``None`` if absent."""
    tables = seed_checkpoints(study, variant)
    return pd.concat(tables).groupby("epoch", as_index=False).mean() if tables else None


def monitored_tasks(tables: list[pd.DataFrame]) -> list[str]:
    """Return the tasks monitored in any of these tables, in the tables' order."""
    return in_order({name for table in tables for name in table} - {"epoch", "step"})


def changes(table: pd.DataFrame, task: str) -> np.ndarray:
    """Return the changes between consecutive checkpoints: of a share, or of a perplexity's logarithm."""
    values = table[task].dropna().to_numpy(dtype=float) if task in table else np.array([])
    return np.diff(np.log(values) if is_perplexity(task) else values)


def absolute_changes(tables: Sequence[pd.DataFrame], task: str) -> np.ndarray:
    """Return the size of each change between consecutive checkpoints, taken in each seed and then averaged over seeds.

    The mean curve of several seeds is smoother than any of them, so its changes would be too small.
    """
    found = pd.DataFrame([np.abs(changes(table, task)) for table in tables])
    return found.mean().dropna().to_numpy(dtype=float)


def reversals(tables: Sequence[pd.DataFrame], task: str) -> tuple[int, int] | None:
    """Return how often a change was followed by one of the other sign, and of how many, over all seeds."""
    found = [change for table in tables if len(change := changes(table, task)) > 1]
    if not found:
        return None
    return sum(int((c[1:] * c[:-1] < 0).sum()) for c in found), sum(len(c) - 1 for c in found)


def sampling_noise(study: StudyResults, variant: str, task: str) -> float | None:
    """Return the mean absolute change that a constant model's share would show from the sample of items alone.

    Two independent binomial shares of ``settings.monitor.items`` items at the curve's mean p differ by 2 √(p (1 − p) /
    (π n)) on average. ``None`` for perplexities and where the number of items is not known.
    """
    tables = seed_checkpoints(study, variant)
    items = ((study.settings(variant) or {}).get("monitor") or {}).get("items")
    values = pd.concat([t[task] for t in tables if task in t]) if any(task in t for t in tables) else pd.Series()
    if is_perplexity(task) or not items or not values.notna().any():
        return None
    share = float(values.mean())
    return 2 * float(np.sqrt(share * (1 - share) / (np.pi * items)))
