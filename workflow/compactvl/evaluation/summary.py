"""Two further forms of the table of metrics, for ``dvc metrics`` and ``dvc plots``: means over seeds."""

from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.files import atomic_path, write_json

SIGNIFICANT_DIGITS = 6
KEYS = ["study", "variant", "benchmark", "metric"]


def tree(table: pd.DataFrame) -> dict[str, Any]:
    """Return ``{study: {variant: {benchmark: {metric: mean over seeds}}}}``, in the table's order.

    Args:
        table: columns as in ``metrics.csv``.
    """
    result: dict[str, Any] = {}
    for (study, variant, benchmark, metric), value in table.groupby(KEYS, sort=False)["value"].mean().items():
        leaf = result.setdefault(study, {}).setdefault(variant, {}).setdefault(benchmark, {})
        leaf[metric] = float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return result


def wide(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a study, variant and benchmark, one column a metric (empty where it was not measured).

    Args:
        table: columns as in ``metrics.csv``.
    """
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for (study, variant, benchmark, metric), value in table.groupby(KEYS, sort=False)["value"].mean().items():
        name = {"study": study, "variant": variant, "benchmark": benchmark, "model": f"{variant} on {benchmark}"}
        rows.setdefault((study, variant, benchmark), name)[metric] = value
    return pd.DataFrame(list(rows.values()))


def write_summary(table: str | Path) -> tuple[Path, Path]:
    """Write ``metrics.json`` and ``summary.csv`` beside ``metrics.csv`` and return their paths."""
    table = Path(table)
    metrics = pd.read_csv(table)
    json_path, csv_path = table.with_suffix(".json"), table.with_name("summary.csv")
    write_json(json_path, tree(metrics))
    with atomic_path(csv_path) as temporary:
        wide(metrics).to_csv(temporary, index=False, float_format=f"%.{SIGNIFICANT_DIGITS}g", lineterminator="\n")
    return json_path, csv_path
