"""Scores on pairs of images with the same words: text, image and group score by kind of exchange."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from compactvl.evaluation.winoground import CHANCE
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import PALETTE, grid, interval_points, legend_below, percent_axis
from compactvl.studies.edje.report.results import EXCHANGED, SWAPS, EdjeResults


def swaps(study: EdjeResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw the three scores by kind with 95% intervals, one colour a variant; the dotted line is chance.

    Args:
        variants: those not evaluated are left out.
    """
    run = study.measured(SWAPS, variants)
    if not run:
        return NotRun(f"no variant was evaluated on {SWAPS}")
    names = study.metrics.loc[study.metrics["benchmark"] == SWAPS, "metric"]
    kinds = sorted({name.removeprefix("text/") for name in names if name.startswith("text/")})
    figure, panels = grid(3, 3, 3.2, sharey=True)
    width = 0.8 / len(run)
    for axes, (score, chance) in zip(panels, CHANCE.items(), strict=True):
        for number, (variant, colour) in enumerate(zip(run, PALETTE, strict=False)):
            metrics = [score, *(f"{score}/{kind}" for kind in kinds)]
            found = [study.estimate(variant, SWAPS, metric) for metric in metrics]
            places = np.arange(len(metrics)) + (number - (len(run) - 1) / 2) * width
            heights = [100 * estimate.value if estimate else 0.0 for estimate in found]
            axes.bar(places, heights, width * 0.92, color=colour, label=study.label(variant))
            interval_points(axes, places, found, fmt="none", ecolor="black", elinewidth=0.9)
        axes.axhline(100 * chance, color="black", linestyle=":", linewidth=1.2, label="chance")
        axes.set_title(f"{score.capitalize()} score")
        ticks = ["all", *(EXCHANGED.get(kind, kind) for kind in kinds)]
        axes.set_xticks(range(len(ticks)), ticks, rotation=35, ha="right")
        axes.grid(axis="x", visible=False)
        axes.set_ylim(0, 100)
    percent_axis(panels[0], "items right (%)")
    legend_below(figure, ncols=4)
    return figure
