"""Colours and axes every figure shares."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from compactvl.errors import UserError

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, GREY)
WIDTH = 7.2
"""Inches: the text width of a paper."""

DIRECTION_TITLES = {"t2i": "Text → image", "i2t": "Image → text"}


def use_style(path: str | Path) -> None:
    """Apply a matplotlib style sheet to everything drawn from now on, without a display.

    Raises:
        UserError: the style sheet is missing.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: give the style sheet's path (reports/paper.mplstyle) as `style`")
    matplotlib.rcdefaults()
    matplotlib.style.use(str(path))


def percent_axis(axes: Axes, label: str = "R@1 (%)", which: str = "y") -> None:
    """Label an axis in per cent with whole-number ticks."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_label_text(label)
    axis.set_major_locator(MaxNLocator(nbins=6, integer=True))
