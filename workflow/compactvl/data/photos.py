"""Photographs of any format → upright RGB (see :mod:`compactvl.data.pixels`), re-encoded without metadata."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from compactvl.data.pixels import to_rgb
from compactvl.data.render import encode_png
from compactvl.errors import UserError

LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF", "PPM"})
REMEDY = "replace it or take it out of the captions"


def read_photo(path: Path, *, max_side: int | None = None, quality: int = 95) -> bytes:
    """Return an image file's picture as PNG (from lossless formats) or JPEG bytes.

    All metadata (place, camera) is dropped.

    Args:
        path: the file.
        max_side: shrink to this longer side in pixels; ``None`` keeps the size. Never enlarges.
        quality: JPEG quality.

    Raises:
        UserError: the file is missing, not a readable image, or larger than Pillow's safety limit; names it.
    """
    try:
        with Image.open(path) as file:
            lossless = file.format in LOSSLESS
            image = to_rgb(file)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; put the image there or take it out of the captions") from None
    except Exception as error:  # whatever a damaged file provokes in Pillow's many readers
        raise UserError(f"{path} is not a readable image ({why(error)}); {REMEDY}") from error
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if lossless:
        return encode_png(image)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def why(error: Exception) -> str:
    """Return in one line why Pillow could not read an image."""
    if isinstance(error, UnidentifiedImageError):
        return "no image format that Pillow knows"
    if isinstance(error, Image.DecompressionBombError):
        return f"over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, which may be a decompression bomb"
    return (str(error).splitlines() or [type(error).__name__])[0]
