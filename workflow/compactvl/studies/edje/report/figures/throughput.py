"""Pairs a second of the online stage against the batch, by where the image tokens come from."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from compactvl.reporting.study import NotRun
from compactvl.reporting.style import PALETTE, grid, interval_points, legend_below, log_ticks
from compactvl.studies.edje.report.results import EdjeResults

SOURCES = {
    "memory": (": tokens in memory", "o-"),
    "text": (": captions as text", "v-"),
    "store": (": tokens read from the store", "s--"),
    "online": (": vision computed online", "^:"),
    "reference": ("", "d-."),
}
"""Source → what is said of it, and its line."""


def throughput(study: EdjeResults, *, variants: Sequence[str]) -> Figure | NotRun:
    """Draw pairs/s against the batch, one line a variant and source, on log axes; bars are the quartiles of the calls.

    Args:
        variants: those not timed are left out; references (other libraries) are always drawn.
    """
    rows = study.timed(variants)
    if rows.empty:
        return NotRun("nothing was timed")
    figure, (axes,) = grid(1, 1, 3.6)
    colours = dict(zip(rows["variant"].unique(), PALETTE * len(rows), strict=False))
    for (variant, source), part in rows.groupby(["variant", "source"], sort=False):
        part = part.sort_values("batch")
        rates = [1000 * part["pairs"] / part[name] for name in ("ms", "high", "low")]
        said, line = SOURCES[source]
        look = {"fmt": line, "color": colours[variant], "label": study.label(variant) + said}
        interval_points(axes, part["batch"], zip(*rates, strict=True), scale=1, **look)
    log_ticks(axes, rows["batch"])
    axes.set_yscale("log")
    # The scale's own formatter writes mathtext, which the style draws as it is.
    axes.yaxis.set_major_formatter(LogFormatter())
    axes.yaxis.set_minor_formatter(LogFormatter())
    axes.set_xlabel("pairs in a batch")
    axes.set_ylabel("pairs / s")
    legend_below(figure, ncols=2)
    return figure
