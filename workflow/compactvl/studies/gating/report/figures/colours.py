"""One colour scale for gates: orange where the model looks, blue where it listens, pale enough for black text."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from compactvl.reporting.style import BLUE, GREY, ORANGE

GATE_COLOURS = LinearSegmentedColormap.from_list("gate", ["#F0935A", "#FBE3D3", "#F7F7F7", "#D2E5F2", "#6FAFDB"])
CLASS_COLOURS = {"content": ORANGE, "function": BLUE, "": GREY}
CLASS_NAMES = {"content": "content words", "function": "function words", "": "neither"}
TRIMMED = (0.02, 0.98)
"""Quantiles of the gate at the ends of the scale: outliers would leave one colour for the rest."""


def gate_scale(gates: np.ndarray) -> Normalize:
    """Return a linear scale from the gates' 2% to their 98% quantile."""
    low, high = np.quantile(gates, TRIMMED)
    return Normalize(low, high if high > low else low + 1e-6)


def gate_bar(figure: Figure, scale: Normalize, axes: Axes | list[Axes] | None = None, **place: object) -> None:
    """Add the colour bar; ``place`` as for ``Figure.colorbar``."""
    bar = figure.colorbar(ScalarMappable(scale, GATE_COLOURS), ax=axes, extend="both", **place)
    bar.set_label("gate (low: looks at the image; high: keeps to the text)")
    bar.outline.set_visible(False)
