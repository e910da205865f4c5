"""Pictures of a canonical data set, for figures that show samples."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from compactvl.data.canonical import CanonicalSet
from compactvl.records.record import MANIFEST


def open_set(sets: str | Path, name: str) -> CanonicalSet | None:
    """Open a canonical data set for its pictures, or return ``None`` where it is not on disk."""
    folder = Path(sets) / name
    return CanonicalSet.open(folder) if (folder / MANIFEST).is_file() else None


def picture(dataset: CanonicalSet, image_id: str) -> np.ndarray:
    """Return an image of a canonical set as ``(height, width, 3)`` uint8, on white where it is transparent."""
    with Image.open(io.BytesIO(dataset.image_bytes(image_id))) as opened:
        layer = opened.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))


def page(width: float, height: float) -> Figure:
    """Return an empty figure, in inches, on which everything stays where it is put."""
    figure = plt.figure(figsize=(width, height))
    # Switched off only now: without an engine, saving would take the style's and warn.
    figure.set_layout_engine("none")
    return figure


def put_picture(
    figure: Figure, shown: np.ndarray, x: float, y: float, side: float, colour: str = "#CCCCCC", line: float = 0.6
) -> None:
    """Put a picture on a page, its upper left corner at ``x``, ``y`` inches from the page's, with a frame around it."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((x / width, 1 - (y + side) / height, side / width, side / height))
    axes.imshow(shown)
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=line)
