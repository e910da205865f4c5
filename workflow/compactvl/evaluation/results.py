"""Results on disk: predictions (one row an item), the metrics computed from them, and the tidy table of all."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.records.intact import check_files, check_recorded
from compactvl.records.record import Made, read_record, write

COLUMNS = ("study", "variant", "seed", "benchmark", "metric", "value", "low", "high", "n", "chance", "higher_is_better")
NAMES = ("study", "variant", "benchmark", "metric", "part")
"""Columns of tables that hold names."""
TABLE = "metrics.csv"


@dataclass(frozen=True)
class Metric:
    """One number of one benchmark.

    Attributes:
        name: e.g. ``t2i_r1``.
        value: the estimate; shares are in 0..1.
        low, high: 95% bootstrap interval.
        n: items it is a mean of.
        chance: what a model that knows nothing gets; ``None`` where that means nothing (a time).
        higher_is_better: direction.
    """

    name: str
    value: float
    low: float
    high: float
    n: int
    chance: float | None
    higher_is_better: bool


def write_result(
    folder: str | Path,
    benchmark: str,
    predictions: pd.DataFrame,
    metrics: Sequence[Metric],
    made: Made,
    device: str = "cpu",
    **facts: Any,
) -> Path:
    """Write ``<benchmark>.parquet`` and then its record ``<benchmark>.json`` into ``folder``, each atomically.

    Args:
        folder: ``results/<study>/<variant>/seed<n>``.
        predictions: one row an item, enough to compute the metrics again.
        metrics: at least one, names different, values finite.
        made: what they were computed from. device: on what.
        facts: further deterministic facts, JSON-serialisable.

    Returns:
        The record's path. It holds the parquet's hash, so it alone can stand for both.

    Raises:
        ValueError: no metric, a repeated name, or a value that is not finite.
    """
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{benchmark}: metric names must be present and different, got {names}")
    for metric in metrics:
        if not all(math.isfinite(x) for x in (metric.value, metric.low, metric.high)):
            raise ValueError(f"{benchmark}: {metric.name} is not finite: {metric}")
    path = Path(folder) / f"{benchmark}.parquet"
    with atomic_path(path) as temporary:
        predictions.to_parquet(temporary, index=False, compression="zstd")
    facts |= {"benchmark": benchmark, "metrics": [asdict(metric) for metric in metrics]}
    return write(path.with_suffix(".json"), made, [path], device=device, **facts)


def read_result(path: str | Path) -> dict[str, Any]:
    """Read a result's JSON.

    Raises:
        UserError: it is missing, none, or was edited or damaged.
    """
    body = read_record(path)
    if "metrics" not in body:
        raise UserError(f"{path} is not a result; delete it or run the evaluation that makes it again")
    return body


def read_predictions(folder: str | Path, benchmark: str) -> pd.DataFrame:
    """Read a benchmark's predictions.

    Raises:
        UserError: they are missing, or not those the metrics were computed from.
    """
    path = Path(folder) / f"{benchmark}.parquet"
    check_recorded(path, path.with_suffix(".json"))
    return pd.read_parquet(path)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV table of the pipeline. Only an empty cell is a missing value: a variant may be called ``NA``."""
    return pd.read_csv(path, dtype=dict.fromkeys(NAMES, str), keep_default_na=False, na_values=[""])


def read_metrics(results: str | Path) -> pd.DataFrame:
    """Read ``metrics.csv`` of a folder: ``results`` for all studies, ``results/<study>`` for one.

    Raises:
        UserError: it is missing, lacks a column, or is not what was collected.
    """
    path = Path(results) / TABLE
    if not path.is_file():
        raise UserError(f"{path} is missing; collect the results first: compactvl collect")
    check_files(results, TABLE, stage="collect")
    table = read_table(path)
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}; collect the results again")
    return table
