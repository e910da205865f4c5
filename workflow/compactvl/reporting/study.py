"""Everything a report reads of one study, found by variant; what was not run is ``None``, never an error."""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compactvl.evaluation.results import read_metrics, read_predictions, read_result, read_table
from compactvl.evaluation.retrieval import DIRECTIONS, query_hits
from compactvl.evaluation.statistics import Interval, paired_bootstrap
from compactvl.files import read_json
from compactvl.records.intact import check_recorded
from compactvl.records.record import MANIFEST, read_manifest
from compactvl.reporting.labels import token_count

DEFAULT_POOL = 10
TOKEN_WIDTH = 384
BYTES_FP16 = 2


@dataclass(frozen=True)
class Estimate:
    """One metric of one variant, over its seeds.

    Attributes:
        value: mean over seeds. low, high: the seeds' 95% intervals over items, averaged.
        sd: standard deviation over seeds, ``None`` with one seed. seeds: how many.
        n: items. chance: chance level or ``None``.
    """

    value: float
    low: float
    high: float
    sd: float | None
    seeds: int
    n: int
    chance: float | None


@dataclass(frozen=True)
class NotRun:
    """Stands where a figure or table would be, and says why it is not there."""

    reason: str


class StudyResults:
    """One study's metrics, predictions, logs and settings.

    Args:
        study: its name. results: folder of ``<study>/metrics.csv`` and its results. runs: folder of ``<study>/``.
        local_tokens: image tokens of the variant ``local``, which keeps what the encoder gives.
    """

    def __init__(self, study: str, results: str | Path, runs: str | Path, local_tokens: int | None = None) -> None:
        self.study, self._local_tokens = study, local_tokens
        self.results, self.runs = Path(results), Path(runs)
        self.metrics = read_metrics(self.results / study)
        self.variants = tuple(sorted(self.metrics["variant"].unique()))
        self._predictions = functools.cache(self._read_predictions)

    def estimate(self, variant: str, benchmark: str, metric: str) -> Estimate | None:
        """Return a metric of a variant over its seeds, or ``None`` where it was not measured.

        A benchmark of several pools answers a name without pool with the default pool's value.
        """
        table = self.metrics[(self.metrics["variant"] == variant) & (self.metrics["benchmark"] == benchmark)]
        rows = table[table["metric"] == metric]
        if rows.empty:
            rows = table[table["metric"] == f"{metric}@pool{DEFAULT_POOL}"]
        if rows.empty:
            return None
        chance = rows["chance"].iloc[0]
        return Estimate(
            value=float(rows["value"].mean()),
            low=float(rows["low"].mean()),
            high=float(rows["high"].mean()),
            sd=float(rows["value"].std(ddof=1)) if len(rows) > 1 else None,
            seeds=len(rows),
            n=int(rows["n"].iloc[0]),
            chance=None if pd.isna(chance) else float(chance),
        )

    def has(self, variant: str, benchmark: str) -> bool:
        """Whether a variant was evaluated on a benchmark."""
        return bool(((self.metrics["variant"] == variant) & (self.metrics["benchmark"] == benchmark)).any())

    def measured(self, benchmark: str, variants: list[str] | tuple[str, ...] | None = None) -> list[str]:
        """Return those of ``variants`` (default: all) that were evaluated on a benchmark, in the order given."""
        return [variant for variant in (variants or self.variants) if self.has(variant, benchmark)]

    def compressed(self, benchmark: str) -> dict[str, int]:
        """Return the token-compression variants evaluated on a benchmark, with their tokens, fewest first."""
        found = {variant: token_count(variant) for variant in self.measured(benchmark)}
        return dict(sorted(((v, m) for v, m in found.items() if m is not None), key=lambda pair: pair[1]))

    def predictions(self, variant: str, benchmark: str) -> dict[int, pd.DataFrame]:
        """Return the predictions by seed; empty where the variant was not evaluated."""
        return self._predictions(variant, benchmark)

    def _read_predictions(self, variant: str, benchmark: str) -> dict[int, pd.DataFrame]:
        folders = self._folders(self.results, variant)
        return {s: read_predictions(f, benchmark) for s, f in folders.items() if (f / f"{benchmark}.parquet").is_file()}

    def _folders(self, root: Path, variant: str) -> dict[int, Path]:
        found = {path.name.removeprefix("seed"): path for path in (root / self.study / variant).glob("seed*")}
        return {int(seed): found[seed] for seed in sorted(found, key=int) if found[seed].is_dir()}

    def pool(self, variant: str, benchmark: str) -> int:
        """Return the pool a benchmark reranks, its result's ``settings.pools``; the default one of several."""
        for folder in self._folders(self.results, variant).values():
            if (path := folder / f"{benchmark}.json").is_file():
                pools = read_result(path).get("settings", {}).get("pools") or [DEFAULT_POOL]
                return DEFAULT_POOL if DEFAULT_POOL in pools else max(pools)
        return DEFAULT_POOL

    def hits(self, variant: str, benchmark: str, direction: str, k: int = 1) -> pd.DataFrame | None:
        """Return columns hit (mean over seeds) and cluster_id, indexed by query_id; ``None`` where not evaluated."""
        tables = self.predictions(variant, benchmark)
        if not tables:
            return None
        pool = self.pool(variant, benchmark)
        hit = pd.concat([query_hits(table, direction, pool, k) for table in tables.values()], axis=1).mean(axis=1)
        first = next(iter(tables.values()))
        cluster = first[first["direction"] == direction].set_index("query_id")["cluster_id"]
        return pd.DataFrame({"hit": hit, "cluster_id": cluster})

    def difference(
        self, a: str, b: str, benchmark: str, direction: str, *, other: str | None = None
    ) -> Interval | None:
        """Return the paired difference in R@1, ``a`` minus ``b``, over the same queries, resampling whole images.

        Args:
            a, b: variants (may be one and the same with two benchmarks). benchmark: of ``a``, and of ``b`` too
                unless ``other`` names another over the same queries. direction: t2i, i2t, or ``both``: their mean.

        Returns:
            (mean, low, high) in 0..1, or ``None`` where one was not evaluated.
        """
        wanted = DIRECTIONS if direction == "both" else (direction,)
        parts = []
        for one in wanted:
            left, right = self.hits(a, benchmark, one), self.hits(b, other or benchmark, one)
            if left is None or right is None:
                return None
            joined = left.join(right[["hit"]], how="inner", rsuffix="_b")
            if joined.empty:
                return None
            parts.append(joined.assign(weight=1 / len(joined)))
        table = pd.concat(parts)
        # Each direction weighs the same, however many queries it has.
        scale = (table["weight"] * len(table) / len(wanted)).to_numpy()
        return paired_bootstrap(scale * table["hit"], scale * table["hit_b"], table["cluster_id"].to_numpy())

    def log(self, variant: str) -> dict[int, pd.DataFrame]:
        """Return the training log by seed, one row a logged step; empty where there is none."""
        logs = {}
        for seed, folder in self._folders(self.runs, variant).items():
            if (path := folder / "log.jsonl").is_file():
                rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
                if rows:
                    logs[seed] = pd.DataFrame(rows)
        return logs

    def settings(self, variant: str) -> dict[str, Any] | None:
        """Return a run's resolved settings (first seed), or ``None``."""
        for folder in self._folders(self.runs, variant).values():
            if (path := folder / "settings.json").is_file():
                return read_json(path)
        return None

    def pairs(self, variant: str) -> int | None:
        """Return the pairs (or texts) a run has seen, those of the runs it starts from included (first seed), or ``None``."""
        for folder in self._folders(self.runs, variant).values():
            if (folder / MANIFEST).is_file():
                return read_manifest(folder).get("seen")
        return None

    def analysis(self, variant: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of ``analysis.npz`` (first seed), or ``None``."""
        for folder in self._folders(self.runs, variant).values():
            if (path := folder / "analysis.npz").is_file():
                with np.load(path, allow_pickle=False) as arrays:
                    return dict(arrays)
        return None

    @functools.cached_property
    def parameters(self) -> pd.DataFrame:
        """``results/<study>/parameters.csv``: variant, part, parameters; empty where it was not written."""
        path = self.results / self.study / "parameters.csv"
        if not path.is_file():
            return pd.DataFrame(columns=["variant", "part", "parameters"])
        check_recorded(path, path.with_suffix(".json"))
        return read_table(path)

    @functools.cached_property
    def efficiency(self) -> pd.DataFrame:
        """Timing rows of the study's file and of each variant's result; see :mod:`compactvl.evaluation.efficiency`."""
        tables = []
        path = self.results / self.study / "efficiency.json"
        if path.is_file():
            tables.append(pd.DataFrame(read_json(path)["rows"]))
        for variant in self.variants:
            tables += list(self.predictions(variant, "efficiency").values())[:1]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=EFFICIENCY_COLUMNS)

    @property
    def timing_environment(self) -> dict[str, Any]:
        """What the timings depend on: device, threads, precision, processor; empty where nothing was timed."""
        candidates = [self.results / self.study / "efficiency.json"]
        candidates += sorted((self.results / self.study).glob("*/seed*/efficiency.json"))
        for path in candidates:
            if path.is_file():
                return read_json(path).get("environment") or {}
        return {}

    def tokens(self, variant: str) -> int | None:
        """Return the tokens an image has for a variant: as timed, else as its settings, name or store say."""
        rows = self.efficiency[self.efficiency["variant"] == variant]
        if len(rows):
            return int(rows["tokens"].iloc[0])
        settings = self.settings(variant) or {}
        if adapter := settings.get("adapter"):
            return settings["vision"]["tokens"] if adapter["kind"] == "local" else adapter["tokens"]
        return self._local_tokens if variant == "local" else token_count(variant)

    def kilobytes(self, variant: str) -> float | None:
        """Return the decimal kB an image takes in the cache: measured, else tokens × 384 × 2 bytes, else ``None``."""
        if measured := self.estimate(variant, "scenes", "kb_per_image"):
            return measured.value
        rows = self.efficiency[(self.efficiency["variant"] == variant) & self.efficiency["kb_per_image"].notna()]
        if len(rows):
            return float(rows["kb_per_image"].iloc[0])
        tokens = self.tokens(variant)
        return None if tokens is None else tokens * TOKEN_WIDTH * BYTES_FP16 / 1000


EFFICIENCY_COLUMNS = (
    "variant", "source", "precision", "tokens", "batch", "pairs", "ms", "low", "high", "pairs_per_s", "repeats",
    "kb_per_image",
)  # fmt: skip
