"""Monitored metrics at the epoch boundaries, by curriculum."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from compactvl.reporting.gating.checkpoints import checkpoints, is_perplexity, monitored_tasks, monitored_title
from compactvl.reporting.gating.labels import label
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import PALETTE, WIDTH

MARKERS = "os^Dv<>P"
FEW_DECADES = 50
"""Perplexities over a wider range than this have a tick a decade, not several."""


def stability(study: StudyResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw each monitored metric at the epoch boundaries; one line a curriculum, perplexities on a log scale.

    Args:
        variants: curricula; those without metrics at epoch boundaries are left out.
    """
    found = {variant: table for variant in variants if (table := checkpoints(study, variant)) is not None}
    if not found:
        return NotRun("no training log has metrics at epoch boundaries")
    tasks = monitored_tasks(list(found.values()))
    rows = -(-len(tasks) // 2)
    columns = min(2, len(tasks))
    figure, grid = plt.subplots(rows, columns, figsize=(WIDTH, 2.4 * rows + 0.8), squeeze=False)
    for axes in grid.flat[len(tasks) :]:
        axes.set_visible(False)
    for axes, task in zip(grid.flat, tasks, strict=False):
        for number, (variant, table) in enumerate(found.items()):
            style = {"color": PALETTE[number % len(PALETTE)], "marker": MARKERS[number % len(MARKERS)]}
            values = table[task] * (1 if is_perplexity(task) else 100) if task in table else []
            epochs = table["epoch"] if task in table else []
            axes.plot(epochs, values, label=label(variant), linewidth=1.4, markersize=4, alpha=0.9, **style)
        axes.set_title(monitored_title(task))
        axes.set_xlabel("epoch boundary")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if is_perplexity(task):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7) if high / low < FEW_DECADES else (1,)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_locator(NullLocator())
    handles, names = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    return figure
