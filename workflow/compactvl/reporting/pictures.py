"""Pictures of a canonical data set, for figures that show samples."""

import io
from pathlib import Path

import numpy as np
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
