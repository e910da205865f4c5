"""A toy study of two variants that share items, written by the real functions."""

from typing import ClassVar

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from compactvl.evaluation.results import Metric, write_result
from compactvl.files import write_json
from compactvl.records.record import MANIFEST, Made, write
from compactvl.reporting.study import StudyResults

CLUSTERS, ITEMS = 60, 400
SKILL = {"good": 0.7, "bad": 0.5, "same": 0.5}


class Toy(StudyResults):
    """Items as they are in the predictions; ``macro`` is a mean over groups."""

    LABELS: ClassVar = {"good": "The good one"}

    def items(self, variant, benchmark, metric):
        tables = [table.set_index("item_id") for table in self.predictions(variant, benchmark).values()]
        if not tables:
            return None
        value = sum(table["value"] for table in tables) / len(tables)
        own = tables[0][["cluster"]].assign(value=value)
        return own.assign(stratum=tables[0]["group"]) if metric == "macro" else own


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def toy(tmp_path, collect_all) -> Toy:
    """Right or wrong in items of clusters and three groups of different sizes."""
    rng = np.random.default_rng(0)
    cluster, hard = rng.integers(0, CLUSTERS, ITEMS), rng.normal(size=CLUSTERS)
    group = np.array(["a", "b", "c"])[np.searchsorted([250, 350], np.arange(ITEMS), side="right")]
    for place, (variant, skill) in enumerate(SKILL.items()):
        table = pd.DataFrame(
            {"item_id": [f"i{n}" for n in range(ITEMS)], "cluster": cluster.astype(str), "group": group}
        )
        level = skill + 0.1 * hard[cluster] + 0.1 * (group == "c")
        table["value"] = (np.random.default_rng(place).random(ITEMS) < level).astype(float)
        macro = table.groupby("group")["value"].mean().mean()
        metrics = [
            Metric("accuracy", table["value"].mean(), 0, 1, ITEMS, 0.5, True),
            Metric("macro", macro, 0, 1, ITEMS, 0.5, True),
        ]
        folder = tmp_path / "results" / "toy" / variant / "seed0"
        write_result(folder, "test", table.sample(frac=1, random_state=place), metrics, Made("evaluate", ""))
        run = tmp_path / "runs" / "toy" / variant / "seed0"
        settings = {"kind": "x", "size": {"width": 8 * place, "depth": 2}, "start": None}
        write_json(run / "settings.json", settings)
        write(run / MANIFEST, Made("train", ""), [], steps=10, seen=1200)
    collect_all(tmp_path / "results", "toy")
    return Toy("toy", tmp_path / "results", tmp_path / "runs")
