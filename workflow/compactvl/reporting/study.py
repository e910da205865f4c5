"""What a report reads of one study, found by variant; what was not run is ``None`` or empty, never an error."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd

from compactvl.evaluation.results import read_metrics, read_predictions, read_table
from compactvl.files import read_json
from compactvl.records.intact import check_recorded
from compactvl.records.record import MANIFEST, read_record

NORMAL = 1.96
"""Standard errors of a 95% interval."""


class Estimate(NamedTuple):
    """One metric of one variant, over its seeds; the first three are an interval.

    Attributes:
        value: mean over seeds. low, high: 95%, over items; with more seeds over both: the seeds' mean interval over items,
            widened by the standard error of the seeds' mean.
        sd: standard deviation over seeds, ``None`` with one seed. seeds: how many.
        n: items. chance: chance level or ``None``.
    """

    value: float
    low: float
    high: float
    sd: float | None = None
    seeds: int = 1
    n: int = 0
    chance: float | None = None


OF_SEED = "value of "
"""Begins the name of a column with one seed's values of items."""


class NotRun(NamedTuple):
    """Stands where a figure or table would be, and says why it is not there."""

    reason: str


class StudyResults:
    """One study's metrics, predictions, logs and settings. A paper's report extends it by what is its own.

    Args:
        study: its name. results: folder of ``<study>/metrics.csv`` and its results. runs: folder of ``<study>/``.
    """

    seeds_read: dict[str, int]
    """How many seeds were found of the variants that were asked for; a claim's evidence says so."""
    LABELS: ClassVar[Mapping[str, str]] = {}
    """Variant → what it is called for readers."""
    METRICS: ClassVar[Mapping[str, str]] = {}
    """Metric → what it is called for readers."""

    def __init__(self, study: str, results: str | Path, runs: str | Path) -> None:
        self.study, self.results, self.runs = study, Path(results), Path(runs)
        self.metrics = read_metrics(self.results / study)
        self.variants = tuple(sorted(self.metrics["variant"].unique()))
        self._predictions = functools.cache(self._read_predictions)
        self.seeds_read: dict[str, int] = {}

    def label(self, variant: str) -> str:
        """Return a variant's name for readers."""
        return self.LABELS.get(variant, variant.replace("_", " "))

    def metric_label(self, metric: str) -> str:
        """Return a metric's name for readers."""
        return self.METRICS.get(metric, metric.replace("_", " "))

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """Return a metric's items, by which variants are compared (:mod:`compactvl.reporting.paired`).

        Returns:
            ``value`` (float, mean over seeds), with more seeds than one each seed's own (:func:`over_seeds`), ``cluster``
            (items resampled together) and, where items are resampled within groups that weigh the same, ``stratum``;
            indexed by item. ``None`` where it was not measured.
        """
        raise TypeError(f"{type(self).__name__} does not say what the items of a metric are")

    def estimate(self, variant: str, benchmark: str, metric: str, seed: int | None = None) -> Estimate | None:
        """Return a metric of a variant over its seeds, or of one seed; ``None`` where it was not measured."""
        table = self.metrics
        rows = table[(table["variant"] == variant) & (table["benchmark"] == benchmark) & (table["metric"] == metric)]
        rows = rows if seed is None else rows[rows["seed"] == seed]
        if rows.empty:
            return None
        self.seeds_read[variant] = rows["seed"].nunique()
        value, low, high = (float(rows[name].mean()) for name in ("value", "low", "high"))
        sd = float(rows["value"].std(ddof=1)) if len(rows) > 1 else None
        if sd is not None:
            seeds = NORMAL * sd / len(rows) ** 0.5
            low, high = value - float(np.hypot(value - low, seeds)), value + float(np.hypot(high - value, seeds))
            if not pd.isna(rows["chance"].iloc[0]):  # a share
                low, high = max(0.0, low), min(1.0, high)
        chance = None if pd.isna(level := rows["chance"].iloc[0]) else float(level)
        return Estimate(value, low, high, sd, len(rows), int(rows["n"].iloc[0]), chance)

    def measured(self, benchmark: str, variants: Iterable[str]) -> list[str]:
        """Return those of ``variants`` that were evaluated on a benchmark, in the order given."""
        known = set(self.metrics.loc[self.metrics["benchmark"] == benchmark, "variant"])
        return [variant for variant in variants if variant in known]

    def predictions(self, variant: str, benchmark: str) -> dict[int, pd.DataFrame]:
        """Return the predictions by seed; empty where the variant was not evaluated."""
        found = self._predictions(variant, benchmark)
        self.seeds_read[variant] = len(found)
        return found

    def _read_predictions(self, variant: str, benchmark: str) -> dict[int, pd.DataFrame]:
        folders = self.folders(self.results, variant)
        return {s: read_predictions(f, benchmark) for s, f in folders.items() if (f / f"{benchmark}.parquet").is_file()}

    def folders(self, root: Path, variant: str) -> dict[int, Path]:
        """Return a variant's folders in ``self.results`` or ``self.runs``, by seed."""
        found = {int(path.name.removeprefix("seed")): path for path in (root / self.study / variant).glob("seed*/")}
        return dict(sorted(found.items()))

    def log(self, variant: str) -> dict[int, pd.DataFrame]:
        """Return the training log by seed, one row a logged step; empty where there is none."""
        logs = {}
        for seed, folder in self.folders(self.runs, variant).items():
            path = folder / "log.jsonl"
            lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
            if rows := [json.loads(line) for line in lines if line.strip()]:
                logs[seed] = pd.DataFrame(rows)
        return logs

    def first_file(self, root: Path, variant: str, name: str) -> Path | None:
        """Return a file of the first seed that has it, of ``self.results`` or ``self.runs``."""
        paths = (folder / name for folder in self.folders(root, variant).values())
        return next((path for path in paths if path.is_file()), None)

    def settings(self, variant: str) -> dict[str, Any] | None:
        """Return a run's resolved settings (first seed), or ``None``."""
        path = self.first_file(self.runs, variant, "settings.json")
        return None if path is None else read_json(path)

    def manifest(self, variant: str) -> dict[str, Any]:
        """Return a run's manifest (first seed): ``steps`` taken, samples ``seen`` and so on; empty where it was not run."""
        path = self.first_file(self.runs, variant, MANIFEST)
        return {} if path is None else read_record(path)

    def analysis(self, variant: str) -> dict[str, np.ndarray]:
        """Return the arrays of a run's ``analysis.npz`` (first seed); empty where there is none."""
        path = self.first_file(self.runs, variant, "analysis.npz")
        if path is None:
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)

    def arms(self, of: str, *free: str) -> list[str]:
        """Return ``of`` and every evaluated variant that differs from it in nothing but the settings ``free``.

        Args:
            free: dotted names, e.g. ``adapter.tokens``.
        """
        own = self._but_for(of, free)
        return [variant for variant in self.variants if own and self._but_for(variant, free) == own]

    def _but_for(self, variant: str, free: Iterable[str]) -> dict[str, Any]:
        return {name: value for name, value in flat(self.settings(variant) or {}).items() if name not in free}

    @functools.cached_property
    def parameters(self) -> pd.DataFrame:
        """``results/<study>/parameters.csv``: variant, part, parameters; empty where it was not written."""
        path = self.results / self.study / "parameters.csv"
        if not path.is_file():
            return pd.DataFrame(columns=["variant", "part", "parameters"])
        check_recorded(path, path.with_suffix(".json"))
        return read_table(path)


def over_seeds(values: Sequence[pd.Series]) -> pd.DataFrame:
    """Return items' values by item: ``value``, the mean over seeds, and with several seeds ``value of <n>``, each one's."""
    table = pd.concat(values, axis=1, keys=[f"{OF_SEED}{number}" for number in range(len(values))])
    return table.iloc[:, :0].assign(value=table.mean(axis=1), **(table if len(values) > 1 else {}))


def flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings by dotted name: ``{"a": {"b": 1}}`` is ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}{key}.") if isinstance(inner, Mapping) else {f"{prefix}{key}": inner}
    return found
