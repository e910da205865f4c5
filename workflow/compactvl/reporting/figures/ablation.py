"""R@1 of a few variants side by side, with intervals (objectives, negatives, controls)."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from compactvl.reporting.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import BLUE, DIRECTION_TITLES, GREY, ORANGE, WIDTH, percent_axis


def ablation(
    study: StudyResults,
    *,
    variants: list[str],
    first_stage: str,
    reference: str | None = None,
    benchmark: str = "scenes",
) -> Figure | NotRun:
    """Draw one row a variant, R@1 with its 95% interval, both directions; the first stage is a dashed line.

    Args:
        variants: top to bottom; those not evaluated are left out. reference: the variant drawn in its own colour.
    """
    variants = study.measured(benchmark, variants)
    if len(variants) < 2:
        return NotRun(f"fewer than two of these variants were evaluated on {benchmark}")
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 1.25 + 0.34 * len(variants)), sharey=True)
    rows = np.arange(len(variants))[::-1]
    for axes, (direction, title) in zip(panels, DIRECTION_TITLES.items(), strict=True):
        for row, variant in zip(rows, variants, strict=True):
            found = study.estimate(variant, benchmark, f"{direction}_r1")
            colour = ORANGE if variant == reference else BLUE
            bars = [[100 * (found.value - found.low)], [100 * (found.high - found.value)]]
            axes.errorbar([100 * found.value], [row], xerr=bars, fmt="o", color=colour, linewidth=1.6)
            axes.annotate(
                f"{100 * found.value:.1f}",
                (100 * found.value, row),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
        first = study.estimate(first_stage, benchmark, f"{direction}_r1")
        if first and first_stage not in variants:
            axes.axvline(100 * first.value, color=GREY, linestyle="--", linewidth=1.2, label=label(first_stage))
        axes.set_title(title)
        percent_axis(axes, which="x")
        axes.grid(axis="y", visible=False)
        axes.set_ylim(-0.6, len(variants) - 0.3)
    panels[0].set_yticks(rows, [label(variant) for variant in variants])
    handles, names = panels[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center")
    return figure
