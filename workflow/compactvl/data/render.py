"""Scenes as pixels: artwork composed with Pillow on a plain background."""

import io
from collections.abc import Mapping

import numpy as np
from PIL import Image

from compactvl.data.artwork import Artwork
from compactvl.data.placement import Cell
from compactvl.data.scene import Scene

WHITE = "#ffffff"
TINTS = ("#fdf1dc", "#e3f1fb", "#e6f6e4", "#fbe6ea", "#efe7fa", "#fffbd6", "#e0f5f2", "#ececec")
Box = tuple[float, float, float, float]


def draw_background(tinted: float, rng: np.random.Generator) -> str:
    """Return white, or with probability ``tinted`` a light tint, as ``#rrggbb``."""
    return TINTS[rng.integers(len(TINTS))] if rng.random() < tinted else WHITE


def render(
    scene: Scene, cells: list[list[Cell]], artwork: Mapping[str, Artwork], codes: Mapping[str, str], image_size: int
) -> tuple[bytes, list[list[Box]]]:
    """Draw a scene.

    Args:
        scene: what to draw; each group names its art style.
        cells: where (see :func:`compactvl.data.placement.place`).
        artwork: art style → its artwork.
        codes: concept → emoji code.
        image_size: height and width in pixels.

    Returns:
        The PNG's bytes (RGB), and each group's boxes (x0, y0, x1, y1) of the drawn objects as fractions of the image.
    """
    canvas = Image.new("RGB", (image_size, image_size), scene.background)
    boxes = []
    for group, own in zip(scene.groups, cells, strict=True):
        drawn = []
        for left, top, side in own:
            sprite = artwork[group.style].raster(codes[group.concept], side)
            x, y = left + (side - sprite.width) // 2, top + (side - sprite.height) // 2
            canvas.paste(sprite, (x, y), sprite)
            corners = (x, y, x + sprite.width, y + sprite.height)
            drawn.append(tuple(round(value / image_size, 4) for value in corners))
        boxes.append(drawn)
    return encode_png(canvas), boxes


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG bytes; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
