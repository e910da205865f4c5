"""Monitored metrics at the epoch boundaries, by curriculum."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from compactvl.reporting.study import NotRun
from compactvl.reporting.style import PALETTE, grid, legend_below
from compactvl.studies.gating.report.checkpoints import checkpoints, monitored_tasks
from compactvl.studies.gating.report.results import GatingResults, is_perplexity

MARKERS = "os^Dv<>P"
FEW_DECADES = 50
"""Perplexities over a wider range than this have a tick a decade, not several."""


def stability(study: GatingResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw each monitored metric at the epoch boundaries; one line a curriculum, perplexities on a log scale.

    Args:
        variants: curricula; those without metrics at epoch boundaries are left out.
    """
    found = {variant: table for variant in variants if (table := checkpoints(study, variant)) is not None}
    if not found:
        return NotRun("no training log has metrics at epoch boundaries")
    tasks = monitored_tasks(list(found.values()))
    figure, panels = grid(len(tasks), 2, 2.4, foot=0.8)
    for axes, task in zip(panels, tasks, strict=True):
        scale = 1 if is_perplexity(task) else 100
        for number, (variant, table) in enumerate(found.items()):
            if task in table:
                look = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
                look |= {"linewidth": 1.4, "markersize": 4, "alpha": 0.9, "label": study.label(variant)}
                axes.plot(table["epoch"], scale * table[task], **look)
        axes.set_title(study.metric_label(task) + (" (%)" if scale == 100 else ""))
        axes.set_xlabel("epoch boundary")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if is_perplexity(task):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high / low < FEW_DECADES else (1,)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
    legend_below(figure)
    return figure
