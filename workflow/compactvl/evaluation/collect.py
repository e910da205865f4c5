"""The stage ``collect``: results become one tidy table, and of all studies its two forms for DVC: means over seeds."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.results import COLUMNS, TABLE, read_result, read_table
from compactvl.files import atomic_path, write_json
from compactvl.records.record import MANIFEST, Made, is_provenance, write

SIGNIFICANT_DIGITS = 6
KEYS = ["study", "variant", "benchmark", "metric"]


def find_results(results: str | Path, study: str | None = None) -> list[Path]:
    """Return every result (its JSON) in a folder, also those of settings long gone; sorted."""
    found = sorted(Path(results).glob(f"{study or '*'}/*/seed*/*.json"))
    return [path for path in found if not is_provenance(path)]


def collect(results: str | Path, made: Made, study: str | None = None) -> Path:
    """Gather ``results/<study>/<variant>/seed<n>/<benchmark>.json`` into ``results/metrics.csv``, with its record.

    Rows are sorted by study, variant, seed, benchmark and the metric's place in its file, so equal results give
    equal bytes. Of all studies together there are also ``metrics.json`` (``dvc metrics``) and ``summary.csv``
    (``dvc plots``).

    Args:
        results: folder of all results.
        made: its inputs are the results to take.
        study: write the table of this study, ``results/<study>/metrics.csv``.

    Returns:
        The table's path.

    Raises:
        UserError: there is no result, or one is missing or not readable.
    """
    target = Path(results) / (TABLE if study is None else f"{study}/{TABLE}")
    rows = sorted((row for path in made.inputs for row in _rows(Path(path))), key=lambda row: row[:5])
    if not rows:
        raise UserError(f"no results under {results}; evaluate a variant first: compactvl evaluate --help")
    files = [_write_csv(pd.DataFrame([row[5] for row in rows], columns=list(COLUMNS)), target)]
    if study is None:
        table = read_table(target)
        files += [target.with_suffix(".json"), _write_csv(wide(table), target.with_name("summary.csv"))]
        write_json(files[1], tree(table))
    write(target.with_name(MANIFEST), made, files, study=study)
    return target


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


def _write_csv(table: pd.DataFrame, path: Path) -> Path:
    options = {"index": False, "float_format": f"%.{SIGNIFICANT_DIGITS}g", "lineterminator": "\n"}
    text = table.to_csv(**options)
    if "\r" in text:  # the writer quotes none, and readers end a line there
        text = table.to_csv(quoting=csv.QUOTE_ALL, **options)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
    return path


def _rows(path: Path) -> list[tuple[Any, ...]]:
    """Return what sorts a row, and the row, for each metric of a result."""
    study, variant, seed = path.parts[-4:-1]
    number = seed.removeprefix("seed")
    if not number.isdigit():
        raise UserError(f"{path} is not in a folder seed<n>; delete it or run the evaluation that makes it again")
    key = (study, variant, int(number), path.stem)
    rows = []
    for place, metric in enumerate(read_result(path)["metrics"]):
        named = {("metric" if name == "name" else name): value for name, value in metric.items()}
        rows.append((*key, place, dict(zip(COLUMNS, key, strict=False)) | named))
    return rows
