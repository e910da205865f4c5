"""Scores and gates against the share of the pool."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from compactvl.reporting.study import NotRun
from compactvl.reporting.style import GREY, PALETTE, grid, interval_line, legend_below, log_ticks, percent_axis
from compactvl.studies.gating.report.results import LANGUAGE, GatingResults, share_label
from compactvl.studies.gating.report.words import GATES, gated

CONTRAST = "content_minus_function"


def scaling(study: GatingResults, *, arms: Mapping[str, Mapping[float, str]]) -> Figure | NotRun:
    """Draw every task, and how far content and function words' gates are apart, against the share of the pool.

    Args:
        arms: name → {share of the pool: variant}, see :meth:`GatingResults.shares`.
    """
    arms = {arm: variants for arm, variants in arms.items() if len(variants) > 1}
    if not arms:
        return NotRun("no variant was run on two shares of the pool")
    run = [variant for variants in arms.values() for variant in variants.values()]
    tasks = study.tasks(run)
    panels = [*tasks, *([CONTRAST] if gated(study, run) else [])]
    figure, grid_of_axes = grid(len(panels), 3, 2.15, foot=0.4)
    for axes, panel in zip(grid_of_axes, panels, strict=True):
        measured, benchmark = study.scored(run, panel), LANGUAGE if panel in tasks else GATES
        chance = study.estimate(measured[0], LANGUAGE, panel).chance if measured else None
        for (arm, variants), colour in zip(arms.items(), PALETTE, strict=False):
            found = [study.estimate(variant, benchmark, panel) for variant in variants.values()]
            scale = 1 if chance is None else 100
            interval_line(axes, variants, found, scale=scale, color=colour, label=arm, markersize=4)
        log_ticks(axes, (share for variants in arms.values() for share in variants), share_label)
        axes.set_xlabel("share of the pool")
        axes.set_title(study.metric_label(panel) if panel in tasks else "Gate, content − function")
        if chance is not None:
            percent_axis(axes, "right (%)")
            axes.axhline(100 * chance, color=GREY, linestyle=":", linewidth=1.1)
        elif panel in tasks:
            axes.set_ylabel("perplexity")
        else:
            axes.axhline(0, color=GREY, linestyle=":", linewidth=1.1)
    legend_below(figure)
    return figure
