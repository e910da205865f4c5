"""Scenes as pixels: artwork composed with Pillow on a plain background."""

from collections.abc import Mapping

import numpy as np
from PIL import Image

from compactvl.data.artwork import Artwork
from compactvl.data.concepts import Concept
from compactvl.data.draws import pick
from compactvl.data.emoji import Emoji
from compactvl.data.pixels import encode_png
from compactvl.data.placement import Cell
from compactvl.data.scene import Scene

WHITE = "#ffffff"
TINTS = ("#fdf1dc", "#e3f1fb", "#e6f6e4", "#fbe6ea", "#efe7fa", "#fffbd6", "#e0f5f2", "#ececec")


def draw_background(tinted: float, rng: np.random.Generator) -> str:
    """Return white, or with probability ``tinted`` a light tint, as ``#rrggbb``."""
    return pick(TINTS, rng) if rng.random() < tinted else WHITE


def render(
    scene: Scene,
    cells: list[list[Cell]],
    artwork: Mapping[str, Artwork],
    concepts: Mapping[str, Concept | Emoji],
    image_size: int,
) -> tuple[bytes, str]:
    """Draw a scene whose groups name their art styles and concepts, in the cells of :mod:`compactvl.data.placement`.

    Returns:
        The PNG's bytes (RGB), and the scene as JSON with the boxes of what was drawn (:meth:`Scene.meta`).
    """
    canvas = Image.new("RGB", (image_size, image_size), scene.background)
    boxes = []
    for group, own in zip(scene.groups, cells, strict=True):
        drawn = []
        for left, top, side in own:
            sprite = artwork[group.style].raster(concepts[group.concept].code, side)
            x, y = left + (side - sprite.width) // 2, top + (side - sprite.height) // 2
            canvas.paste(sprite, (x, y), sprite)
            drawn.append(tuple(round(v / image_size, 4) for v in (x, y, x + sprite.width, y + sprite.height)))
        boxes.append(drawn)
    return encode_png(canvas), scene.meta(boxes)
