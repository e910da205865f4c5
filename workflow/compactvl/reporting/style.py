"""What every figure shares: colours, grids of axes, legends, and points with their intervals."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from compactvl.errors import UserError
from compactvl.evaluation.statistics import Interval
from compactvl.reporting.study import Estimate

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY)
WIDTH = 7.2
"""Inches: the text width of a paper."""


def use_style(path: str | Path) -> None:
    """Apply a matplotlib style sheet to everything drawn from now on, without a display.

    Raises:
        UserError: the style sheet is missing.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: give the style sheet's path (reports/paper.mplstyle) as `style`")
    matplotlib.rcdefaults()
    matplotlib.style.use(str(path))


def grid(
    panels: int, columns: int, height: float, *, foot: float = 0.0, **options: object
) -> tuple[Figure, list[Axes]]:
    """Return a figure as wide as a paper's text, and its axes, row by row.

    Args:
        panels: axes wanted. columns: side by side, at most. height: of a row in inches. foot: of a legend below.
        options: as for ``plt.subplots``.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    size = (WIDTH, height * rows + foot)
    figure, axes = plt.subplots(rows, columns, **({"figsize": size, "squeeze": False} | options))
    for unused in axes.flat[panels:]:
        unused.set_visible(False)
    return figure, list(axes.flat[:panels])


def legend_below(figure: Figure, ncols: int = 3, **options: object) -> None:
    """Put one legend of everything that is labelled in any of the axes below them."""
    entries = {n: h for axes in figure.axes for h, n in zip(*axes.get_legend_handles_labels(), strict=True)}
    if entries:
        figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=ncols, **options)


def percent_axis(axes: Axes, label: str, which: str = "y") -> None:
    """Label an axis in per cent with whole-number ticks."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_label_text(label)
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))


def log_ticks(axes: Axes, values: Iterable[float], name: Callable[[float], str] = str, **options: object) -> None:
    """Make the x axis logarithmic, with a tick at each of these values and no other."""
    values = sorted(set(values))
    axes.set_xscale("log", **options)
    axes.set_xticks(values, [name(value) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())


def _known(
    places: Iterable[float], found: Iterable[Interval | Estimate | None], scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Places, values, lows and highs of what was measured, scaled."""
    known = [(place, *interval[:3]) for place, interval in zip(places, found, strict=True) if interval is not None]
    place, *values = np.array(known).reshape(-1, 4).T
    return place, *(scale * part for part in values)


def interval_points(
    axes: Axes,
    places: Iterable[float],
    found: Iterable[Interval | Estimate | None],
    *,
    scale: float = 100.0,
    across: bool = False,
    **options: object,
) -> None:
    """Draw points with bars from low to high; those not measured (``None``) are left out.

    Args:
        places: along x, or along y if ``across``. scale: of the values, 100 for per cent. options: of ``errorbar``.
    """
    place, value, low, high = _known(places, found, scale)
    x, y, bars = (value, place, "xerr") if across else (place, value, "yerr")
    if len(place):
        axes.errorbar(x, y, **{bars: [value - low, high - value]}, **({"fmt": "o"} | options))


def interval_line(
    axes: Axes,
    places: Iterable[float],
    found: Iterable[Interval | Estimate | None],
    *,
    color: str,
    scale: float = 100.0,
    **options: object,
) -> None:
    """Draw a line through values, and a band from low to high; those not measured (``None``) are left out."""
    place, value, low, high = _known(places, found, scale)
    if len(place):
        axes.fill_between(place, low, high, color=color, alpha=0.14, linewidth=0)
        axes.plot(place, value, "o-", color=color, **options)


def interval_rows(
    rows: Sequence[str],
    panels: Mapping[str, Sequence[Interval | Estimate | None]],
    colour: Callable[[int, Interval | Estimate], str],
    *,
    height: float = 0.34,
    numbers: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Draw a row a variant, its values in per cent as points with intervals; one panel a metric.

    Args:
        rows: names, top to bottom. panels: title → a value a row. colour: of a row's number and value.
        height: of a row in inches. numbers: whether the values are written above the points.
    """
    figure, axes = grid(len(panels), len(panels), 1.2 + height * len(rows), sharey=True)
    for panel, (title, found) in zip(axes, panels.items(), strict=True):
        for row, value in enumerate(found):
            if value is None:
                continue
            interval_points(panel, [row], [value], across=True, color=colour(row, value), linewidth=1.5, markersize=4.5)
            if numbers:
                place = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "fontsize": 8}
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
                panel.annotate(f"{100 * value[0]:.1f}", (100 * value[0], row), bbox=box, **place)
        panel.set_title(title)
        panel.grid(axis="y", visible=False)
        panel.set_ylim(len(rows) - 0.4, -0.7)
    axes[0].set_yticks(range(len(rows)), rows)
    return figure, axes
