"""The score of every subset of a pool, with its resamples: from results, or from a table made elsewhere."""

import csv
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compactvl.config.base import did_you_mean
from compactvl.data.user_files import read_text
from compactvl.errors import UserError
from compactvl.evaluation.statistics import Interval, percentiles
from compactvl.evaluation.suite import AREA, OVERALL, TASK, task_shares
from compactvl.studies.encoder_roles.game import mask_of, subset_of
from compactvl.studies.encoder_roles.section import BLIND

RESAMPLES, SEED = 2000, 0
CSV_COLUMNS = ("subset", "area", "benchmark", "score")
RETRAINED = "retrained"
VIEWS = (RETRAINED, "zero", "mean")


@dataclass(frozen=True)
class Scores:
    """What every subset of a pool scores; see :mod:`compactvl.studies.encoder_roles.game`.

    Attributes:
        pool: encoders, in the order of the bits. value: (2ⁿ,), means over seeds; NaN where a subset was not measured.
        draws: (resamples, 2ⁿ), or ``None`` where there are no items to resample.
    """

    pool: tuple[str, ...]
    value: np.ndarray
    draws: np.ndarray | None = None

    def of(self, function: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """Return a function of the scores, and of every resample."""
        return function(self.value), None if self.draws is None else function(self.draws)

    def intervals(self, function: Callable[[np.ndarray], np.ndarray]) -> list[Interval]:
        """Return each number of a function (..., k) with its 95% interval; NaN without resamples."""
        value, draws = self.of(function)
        limits = [(np.nan, np.nan)] * len(value) if draws is None else percentiles(draws)
        return [(float(one), *pair) for one, pair in zip(value, limits, strict=True)]

    def interval(self, function: Callable[[np.ndarray], np.ndarray]) -> Interval:
        """Return one number of the scores with its interval."""
        return self.intervals(lambda scores: function(scores)[..., None])[0]

    def name(self, mask: int) -> str:
        """Return what a subset is called."""
        return "+".join(subset_of(mask, self.pool)) or BLIND

    @property
    def whole(self) -> bool:
        """Whether every subset was measured."""
        return bool(np.isfinite(self.value).all())


def score_tables(
    pool: tuple[str, ...], tables: Mapping[int, list[pd.DataFrame]], resamples: int = RESAMPLES
) -> dict[str, Scores]:
    """Return ``overall``, each area and each task → the scores of all subsets.

    Resampled are clusters of items, the same for all subsets, and each subset's seeds. A resample without an item of some
    task has no score and is left out.

    Args:
        tables: subset as a mask → predictions of each seed, :func:`compactvl.evaluation.suite.ask`'s.

    Raises:
        UserError: they are not about the same items.
    """
    first = next(iter(tables.values()))[0]
    _, member, shares = task_shares(first)
    codes, clusters = pd.factorize(first["cluster"])
    seeds, counts = max(map(len, tables.values())), np.zeros((len(clusters), member.shape[1]))
    np.add.at(counts, codes, member.astype(float))
    sums = np.full((len(clusters), member.shape[1], 1 << len(pool), seeds), np.nan)
    for mask, own in tables.items():
        for seed, table in enumerate(own):
            if not table["item_id"].equals(first["item_id"]):
                raise UserError("results of encoder roles are about different items; evaluate all subsets again")
            sums[:, :, mask, seed] = 0
            np.add.at(sums[:, :, mask, seed], codes, member * table["score"].to_numpy()[:, None])
    rng = np.random.default_rng(SEED)
    drawn = rng.integers(0, len(clusters), size=(resamples, len(clusters)))
    weights = np.stack([np.bincount(row, minlength=len(clusters)) for row in drawn]).astype(float)
    weights = weights[(weights @ counts > 0).all(1)]
    means = sums.sum(0) / counts.sum(0)[:, None, None]
    totals = (weights @ sums.reshape(len(clusters), -1)).reshape(len(weights), *sums.shape[1:])
    draws = totals / (weights @ counts)[:, :, None, None]
    # A subset has fewer seeds where it was trained with fewer: those that are there are drawn from.
    there = np.array([len(tables.get(mask, ())) for mask in range(1 << len(pool))])
    chosen = (rng.random((len(weights), len(there), seeds)) * np.maximum(there, 1)[:, None]).astype(int)
    draws = np.take_along_axis(draws, chosen[:, None], axis=-1)
    averaged = np.stack([means[:, mask, : max(n, 1)].mean(-1) for mask, n in enumerate(there)], -1)
    over_seeds = draws.mean(-1)
    return {
        name: Scores(pool, share @ averaged, np.einsum("t,rtm->rm", share, over_seeds))
        for name, share in shares.items()
    }


def read_csv(path: str | Path) -> dict[str, Scores]:
    """Read scores made elsewhere: columns subset (encoders joined by ``+``, or ``blind``), area, benchmark, score.

    Areas weigh the same, and within one its benchmarks. Scores of masked models may stand beside retrained ones: a column
    ``view``, ``retrained`` or ``zero`` or ``mean``, gives their names a prefix ``<view>:``.

    Raises:
        UserError: no such file, no CSV in UTF-8, no scores of retrained encoders, a column is missing or there twice, a row has
            too few or too many fields, or one that is empty or not known, a score is no finite number, a benchmark is in
            two areas, a subset or a benchmark is given twice or not at all.
    """
    path, found = Path(path), {}
    table = _rows(path)
    names = [name for text in table["subset"] for name in text.split("+") if text != BLIND]
    pool = tuple(dict.fromkeys(names))
    for view, rows in table.groupby("view", sort=False):
        prefix = "" if view == RETRAINED else f"{view}:"
        found |= {f"{prefix}{name}": one for name, one in _of_rows(path, pool, rows).items()}
    if not pool or OVERALL not in found:
        raise UserError(f"{path} has no scores of retrained encoders; give one row a subset and benchmark")
    return found


def _rows(path: Path) -> pd.DataFrame:
    """Return subset, area, benchmark, score and view of every row, by the number of its line."""
    if not os.path.isfile(path):
        raise UserError(f"{path} is missing; give a CSV file with the columns {', '.join(CSV_COLUMNS)}")
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        lines = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UserError(f"{path} line {reader.reader.line_num} is not CSV ({error}); check its quotes") from error
    if missing := [name for name in CSV_COLUMNS if name not in header]:
        raise UserError(f"{path} lacks the column {missing[0]}{did_you_mean(missing[0], header)}")
    if twice := [name for name in (*CSV_COLUMNS, "view") if header.count(name) > 1]:
        raise UserError(f"{path}: two columns are named {twice[0]}; rename one")
    rows, areas = [], {}
    for line, row in lines:
        where = f"{path} line {line}"
        if None in row or None in row.values():
            raise UserError(f"{where} has not as many fields as the header; put one with commas in double quotes")
        subset, area, benchmark, score, view = (row.get(name, RETRAINED).strip() for name in (*CSV_COLUMNS, "view"))
        parts, number = [part.strip() for part in subset.split("+")], pd.to_numeric(score, errors="coerce")
        if not all(parts) or (BLIND in parts and len(parts) > 1):
            raise UserError(f"{where}: subset {subset!r} is neither encoders joined by + nor {BLIND}")
        if not area or not benchmark:
            raise UserError(f"{where} names no {'benchmark' if area else 'area'}; fill it in")
        if areas.setdefault(benchmark, area) != area:
            raise UserError(f"{where}: {benchmark} is in the areas {areas[benchmark]} and {area}; give it one")
        if not np.isfinite(number):
            raise UserError(f"{where}: score {score!r} is no number")
        if view not in VIEWS:
            raise UserError(f"{where}: unknown view {view!r}{did_you_mean(view, VIEWS)}")
        rows.append(("+".join(parts), area, benchmark, float(number), view))
    return pd.DataFrame(rows, index=[line for line, _ in lines], columns=[*CSV_COLUMNS, "view"])


def _of_rows(path: Path, pool: tuple[str, ...], rows: pd.DataFrame) -> dict[str, Scores]:
    areas = dict(zip(rows["benchmark"], rows["area"], strict=True))
    values = np.full((len(areas), 1 << len(pool)), np.nan)
    for line, (subset, benchmark, score) in zip(
        rows.index, rows[["subset", "benchmark", "score"]].itertuples(index=False), strict=True
    ):
        parts = [] if subset == BLIND else subset.split("+")
        place = list(areas).index(benchmark), mask_of(parts, pool)
        if len(set(parts)) != len(parts) or not np.isnan(values[place]):
            raise UserError(f"{path} line {line}: {subset} on {benchmark} is given twice; delete one")
        values[place] = score
    lacking = np.argwhere(np.isnan(values) & np.isfinite(values).any(0))
    if len(lacking):
        benchmark, mask = list(areas)[lacking[0][0]], subset_of(int(lacking[0][1]), pool)
        raise UserError(
            f"{path}: {'+'.join(mask) or BLIND} has no score on {benchmark}; add it, or take the subset out"
        )
    shares = {}
    for area in dict.fromkeys(areas.values()):
        own = np.array([one == area for one in areas.values()], dtype=float)
        shares[f"{AREA}{area}"] = own / own.sum()
    shares = {OVERALL: np.mean(list(shares.values()), axis=0), **shares}
    shares |= {f"{TASK}{name}": row for name, row in zip(areas, np.eye(len(areas)), strict=True)}
    return {name: Scores(pool, share @ values) for name, share in shares.items()}
