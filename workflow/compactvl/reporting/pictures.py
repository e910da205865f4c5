"""Pictures of a canonical data set, for figures that show samples."""

import io
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from compactvl.data.canonical import CanonicalSet
from compactvl.records.record import MANIFEST

FADED, STRONGEST = 0.55, 0.85
COLOUR = (213, 94, 0)
"""Of a map over a picture: how much of the picture is left, the most a colour covers, and the colour."""


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


def lit(image: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the image faded, and coloured where a query looks, in proportion to the map's maximum.

    Args:
        image: ``(height, width, 3)`` uint8. weights: ``(h, w)`` float, over the same picture.
    """
    height, width = image.shape[:2]
    field = Image.fromarray(np.asarray(weights, dtype=np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    light = np.clip(np.asarray(field) / max(float(weights.max()), 1e-12), 0, 1)
    cover = STRONGEST * light[..., None]
    return ((1 - cover) * (FADED * image + (1 - FADED) * 255) + cover * np.array(COLOUR)).astype(np.uint8)
