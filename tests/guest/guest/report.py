"""The guest's results: what its variants are called, its claims and its one figure."""

from collections.abc import Sequence
from typing import ClassVar

import pandas as pd
from matplotlib.figure import Figure

from compactvl.evaluation.retrieval import query_hits
from compactvl.reporting.claims import Claim
from compactvl.reporting.paired import Measure, above_chance, better, versus
from compactvl.reporting.study import StudyResults
from compactvl.reporting.style import grid, interval_points, percent_axis

BENCHMARK, METRIC, POOL = "scenes", "t2i_r10", 10


class GuestResults(StudyResults):
    """Metrics of the guest's variants, and hits query by query."""

    LABELS: ClassVar = {"pooled+mean": "Both", "pooled": "The encoder's vector", "mean": "The tokens' mean"}
    METRICS: ClassVar = {METRIC: "Text → image R@10"}

    def items(self, variant: str, benchmark: str, metric: str) -> pd.DataFrame | None:
        """Hits of ``t2i_r<k>`` by query; images are resampled."""
        tables = list(self.predictions(variant, benchmark).values())
        if not tables:
            return None
        hits = [query_hits(table, "t2i", POOL, int(metric.rpartition("r")[2])) for table in tables]
        rows = tables[0][tables[0]["direction"] == "t2i"].set_index("query_id")
        return pd.DataFrame({"value": pd.concat(hits, axis=1).mean(axis=1), "cluster": rows["cluster_id"]})


CLAIMS = [
    Claim(
        "learns",
        "A bag of words finds scenes better than chance.",
        lambda study: above_chance(study, Measure("pooled+mean", BENCHMARK, METRIC)),
    ),
    Claim(
        "both",
        "Both features find more than the encoder's own vector.",
        lambda study: better(study, versus("pooled+mean", "pooled", BENCHMARK, METRIC)),
        origin="question",
    ),
]


def recall_figure(study: GuestResults, variants: Sequence[str]) -> Figure:
    """R@10 of each variant with its interval; dotted: chance."""
    figure, (axes,) = grid(1, 1, 2.6)
    found = [study.estimate(variant, BENCHMARK, METRIC) for variant in variants]
    interval_points(axes, range(len(variants)), found)
    axes.axhline(100 * found[0].chance, linestyle=":", color="0.4")
    axes.set_xticks(range(len(variants)), [study.label(variant) for variant in variants])
    percent_axis(axes, study.metric_label(METRIC))
    return figure
