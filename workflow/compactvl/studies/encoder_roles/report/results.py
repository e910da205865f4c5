"""What the report reads: scores of all subsets, retrained and masked, ranks, sizes, and what encoding costs."""

import functools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from compactvl.evaluation.benchmarks.masking import FILLS
from compactvl.evaluation.suite import AREA, KEPT, OVERALL, TASK
from compactvl.files import read_json
from compactvl.records.record import MANIFEST, PROVENANCE
from compactvl.reporting.study import StudyResults
from compactvl.studies.encoder_roles.game import mask_of
from compactvl.studies.encoder_roles.report.scores import Scores, read_csv, score_tables

SUITE, MASKING = "roles", "masking"


class RolesResults(StudyResults):
    """Results of the study's own runs.

    Args:
        cache: folder of the token stores, for the time that encoding took.
    """

    LABELS: ClassVar = {"blind": "Blind (no encoder)"}
    METRICS: ClassVar = {
        OVERALL: "overall",
        f"{AREA}general": "General",
        f"{AREA}knowledge": "Knowledge",
        f"{AREA}ocr_chart": "OCR & chart",
        f"{AREA}vision": "Vision-centric",
    }

    def __init__(self, study: str, results: str | Path, runs: str | Path, cache: str | Path = "cache") -> None:
        super().__init__(study, results, runs)
        self.cache = Path(cache)

    @functools.cached_property
    def encoders(self) -> dict[str, tuple[str, ...]]:
        """Variant → the encoders it sees through, of every variant that was evaluated on the suite."""
        known = self.measured(SUITE, self.variants)
        return {name: tuple((self.settings(name) or {}).get("encoders", ())) for name in known}

    @functools.cached_property
    def pool(self) -> tuple[str, ...]:
        """The encoders of the largest subset."""
        return max(self.encoders.values(), key=len, default=())

    @functools.cached_property
    def full(self) -> str | None:
        """The variant of the whole pool."""
        return next((name for name, own in self.encoders.items() if own == self.pool), None)

    @functools.cached_property
    def scores(self) -> dict[str, Scores]:
        """``overall``, areas and tasks → scores of the subsets; ``zero:overall`` and so on: masked. Empty without a pool."""
        if not self.pool:
            return {}
        tables = {
            mask_of(own, self.pool): list(self.predictions(name, SUITE).values())
            for name, own in self.encoders.items()
            if set(own) <= set(self.pool)
        }
        return {**score_tables(self.pool, tables), **self._masked}

    @functools.cached_property
    def _masked(self) -> dict[str, Scores]:
        masked = self.predictions(self.full, MASKING) if self.full else {}
        whole = self.predictions(self.full, SUITE) if self.full else {}
        found = {}
        for fill in FILLS if masked else ():
            tables = {(1 << len(self.pool)) - 1: [whole[seed] for seed in masked]}
            for column in (name for name in next(iter(masked.values())) if name.startswith(f"{fill}:")):
                names = [one for one in column.removeprefix(f"{fill}:").split("+") if one]
                own = [table[KEPT].assign(score=table[column]) for table in masked.values()]
                tables[mask_of(names, self.pool)] = own
            found |= {f"{fill}:{name}": one for name, one in score_tables(self.pool, tables).items()}
        return found

    def ranks(self, variant: str) -> dict[str, Any]:
        """Return a run's effective ranks, ``input``, ``before`` and ``after`` training → encoder → per image, stacked."""
        return self.manifest(variant).get("ranks", {})

    def milliseconds(self, encoder: str) -> float | None:
        """Return what encoding an image took, in milliseconds of all its stores; ``None`` where none is on disk."""
        seconds = images = 0.0
        for manifest in sorted((self.cache / "tokens" / encoder).glob(f"*/{MANIFEST}")):
            spent = manifest.with_name(PROVENANCE)
            if spent.is_file() and (took := read_json(spent).get("seconds")):
                seconds, images = seconds + took, images + read_json(manifest)["count"]
        return 1000 * seconds / images if images else None

    def size(self, variant: str) -> int | None:
        """Return a variant's number of trained parameters."""
        own = self.parameters[self.parameters["variant"] == variant]
        return int(own["parameters"].sum()) if len(own) else None


class ScoresElsewhere:
    """Scores of a CSV file (:func:`compactvl.studies.encoder_roles.report.scores.read_csv`): the same report, without runs."""

    full = None
    parameters = pd.DataFrame(columns=["variant", "part", "parameters"])

    def __init__(self, path: str | Path) -> None:
        self.scores = read_csv(path)
        self.pool = self.scores[OVERALL].pool

    label = staticmethod(str)

    @staticmethod
    def metric_label(metric: str) -> str:
        """Return a metric's name for readers."""
        known = RolesResults.METRICS.get(metric)
        return known or metric.removeprefix(AREA).removeprefix(TASK).replace("_", " ")

    def ranks(self, variant: str) -> dict[str, Any]:
        """There are none."""
        return {}

    def milliseconds(self, encoder: str) -> float | None:
        """There are none."""
        return None

    def size(self, variant: str) -> int | None:
        """There are none."""
        return None


def areas(study: RolesResults | ScoresElsewhere) -> list[str]:
    """Return ``overall`` and the areas, as the scores name them."""
    return [name for name in study.scores if name == OVERALL or name.startswith(AREA)]


def rank_changes(study: RolesResults) -> pd.DataFrame:
    """Return, for every pair of encoders: a, b, score, and each one's effective rank in the pair as a share of that alone.

    Ranks are per image, after training, of what enters the projector.
    """
    scores = study.scores.get(OVERALL)
    if scores is None:
        return pd.DataFrame()
    by_set = {own: name for name, own in getattr(study, "encoders", {}).items()}

    def rank(own: tuple[str, ...], encoder: str) -> float:
        found = study.ranks(by_set[own]).get("after", {}) if own in by_set else {}
        return found.get(encoder, {}).get("image", np.nan)

    rows = []
    for i, a in enumerate(scores.pool):
        for b in scores.pool[i + 1 :]:
            value = scores.value[mask_of((a, b), scores.pool)]
            shares = [rank((a, b), one) / rank((one,), one) for one in (a, b)]
            rows.append({"a": a, "b": b, "score": value, "a_rank": shares[0], "b_rank": shares[1]})
    return pd.DataFrame(rows)
