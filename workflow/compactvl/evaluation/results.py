"""Results on disk: predictions (one row an item), the metrics computed from them, and the one tidy table of all."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.errors import UserError
from compactvl.files import atomic_path, read_json, sha256_file, write_json

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
    write_json(folder / f"{benchmark}.json", body)
    return folder / f"{benchmark}.json"


def read_predictions(folder: str | Path, benchmark: str) -> pd.DataFrame:
    """Read a benchmark's predictions.

    Raises:
        UserError: they are missing, or not those the metrics were computed from.
    """
    path = Path(folder) / f"{benchmark}.parquet"
    facts = read_json(path.with_suffix(".json"))
    if sha256_file(path) != facts["files"][path.name]:
        raise UserError(f"{path} is not what {benchmark}.json was computed from; delete both and evaluate again")
    return pd.read_parquet(path)


def collect(results: str | Path, only: Iterable[str | Path] | None = None, study: str | None = None) -> Path:
    """Gather ``results/<study>/<variant>/seed<n>/<benchmark>.json`` into ``results/metrics.csv``.

    Rows are sorted by study, variant, seed, benchmark and the metric's place in its file, so equal results give
    equal bytes.

    Args:
        results: folder of all results.
        only: the results (JSON paths) to take; ``None``: all in the folder, also those of settings long gone.
        study: take this study's alone and write ``results/<study>/metrics.csv``.

    Raises:
        UserError: there is no result, one of ``only`` is missing, or one is not readable.
    """
    results = Path(results)
    target = results / TABLE if study is None else results / study / TABLE
    rows = []
    for path in results.glob(f"{study or '*'}/*/seed*/*.json") if only is None else map(Path, only):
        study, variant, seed = path.parts[-4:-1]
        body = read_json(path)
        if not isinstance(body, dict) or "metrics" not in body or not seed.removeprefix("seed").isdigit():
            raise UserError(f"{path} is not a result; delete it or run the evaluation that makes it again")
        for place, metric in enumerate(body["metrics"]):
            key = (study, variant, int(seed.removeprefix("seed")), path.stem)
            metric = {("metric" if name == "name" else name): value for name, value in metric.items()}
            rows.append((*key, place, dict(zip(COLUMNS, key, strict=False)) | metric))
    if not rows:
        raise UserError(f"no results under {results}; evaluate a variant first: compactvl evaluate --help")
    rows.sort(key=lambda row: row[:5])
    table = pd.DataFrame([row[5] for row in rows], columns=list(COLUMNS))
    with atomic_path(target) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    return target


def read_metrics(results: str | Path) -> pd.DataFrame:
    """Read ``metrics.csv`` of a folder: ``results`` for all studies, ``results/<study>`` for one.

    Raises:
        UserError: it is missing or lacks a column.
    """
    path = Path(results) / TABLE
    if not path.is_file():
        raise UserError(f"{path} is missing; collect the results first: compactvl collect")
    table = pd.read_csv(path)
    if missing := [name for name in COLUMNS if name not in table]:
        raise UserError(f"{path} lacks the column(s) {', '.join(missing)}; collect the results again")
    return table
