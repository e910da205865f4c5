"""Results on disk: predictions (one row an item), the metrics computed from them, and the one tidy table of all."""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.errors import UserError
from compactvl.evaluation.summary import write_summary
from compactvl.files import atomic_path, sha256_file
from compactvl.records.intact import check_files
from compactvl.records.record import MANIFEST, is_provenance, read_record, write_file_record, write_record

COLUMNS = ("study", "variant", "seed", "benchmark", "metric", "value", "low", "high", "n", "chance", "higher_is_better")
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
    folder: str | Path, benchmark: str, predictions: pd.DataFrame, metrics: Sequence[Metric], **facts: Any
) -> Path:
    """Write ``<benchmark>.parquet`` and then ``<benchmark>.json`` into ``folder``, each atomically.

    Args:
        folder: ``results/<study>/<variant>/seed<n>``.
        predictions: one row an item, enough to compute the metrics again.
        metrics: at least one, names different, values finite.
        facts: further deterministic facts (settings, inputs' hashes), JSON-serialisable.

    Returns:
        The JSON's path. It holds the parquet's hash, so it alone can stand for both.

    Raises:
        ValueError: no metric, a repeated name, or a value that is not finite.
    """
    names = [metric.name for metric in metrics]
    if not names or len(set(names)) != len(names):
        raise ValueError(f"{benchmark}: metric names must be present and different, got {names}")
    for metric in metrics:
        if not all(math.isfinite(x) for x in (metric.value, metric.low, metric.high)):
            raise ValueError(f"{benchmark}: {metric.name} is not finite: {metric}")
    folder = Path(folder)
    with atomic_path(folder / f"{benchmark}.parquet") as temporary:
        predictions.to_parquet(temporary, index=False, compression="zstd")
    body = {
        "benchmark": benchmark,
        **facts,
        "metrics": [asdict(metric) for metric in metrics],
        "files": {f"{benchmark}.parquet": sha256_file(folder / f"{benchmark}.parquet")},
    }
    return write_record(folder / f"{benchmark}.json", body)


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
    facts = read_result(path.with_suffix(".json"))
    if sha256_file(path) != facts["files"][path.name]:
        raise UserError(f"{path} is not what {benchmark}.json was computed from; delete both and evaluate again")
    return pd.read_parquet(path)


def collect(results: str | Path, only: Iterable[str | Path] | None = None, study: str | None = None) -> Path:
    """Gather ``results/<study>/<variant>/seed<n>/<benchmark>.json`` into ``results/metrics.csv``, with its manifest.

    Rows are sorted by study, variant, seed, benchmark and the metric's place in its file, so equal results give
    equal bytes. Of all studies together there are also the forms of :mod:`compactvl.evaluation.summary`.

    Args:
        results: folder of all results.
        only: the results (JSON paths) to take; ``None``: all in the folder, also those of settings long gone.
        study: take this study's alone and write ``results/<study>/metrics.csv``.

    Returns:
        The table's path.

    Raises:
        UserError: there is no result, one of ``only`` is missing, or one is not readable.
    """
    started, results = time.monotonic(), Path(results)
    target = results / TABLE if study is None else results / study / TABLE
    if only is None:
        found = results.glob(f"{study or '*'}/*/seed*/*.json")
        only = [path for path in found if not is_provenance(path)]
    only = [Path(path) for path in only]
    rows = [row for path in only for row in _rows(path)]
    if not rows:
        raise UserError(f"no results under {results}; evaluate a variant first: compactvl evaluate --help")
    rows.sort(key=lambda row: row[:5])
    table = pd.DataFrame([row[5] for row in rows], columns=list(COLUMNS))
    with atomic_path(target) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    files = [target, *(write_summary(target) if study is None else ())]
    write_file_record(
        target.with_name(MANIFEST), stage="collect", files=files, inputs=only, started=started, study=study
    )
    return target


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


def read_metrics(results: str | Path) -> pd.DataFrame:
    """Read ``metrics.csv`` of a folder: ``results`` for all studies, ``results/<study>`` for one.

    Raises:
        UserError: it is missing, lacks a column, or is not what was collected.
    """
    path = Path(results) / TABLE
    if not path.is_file():
        raise UserError(f"{path} is missing; collect the results first: compactvl collect")
    check_files(results, TABLE, stage="collect")
    table = pd.read_csv(path)
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}; collect the results again")
    return table
