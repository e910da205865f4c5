"""Photographs of any format → upright RGB, re-encoded without metadata."""

import io
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from compactvl.data.render import encode_png
from compactvl.errors import UserError

LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF", "PPM"})


def read_photo(path: Path, *, max_side: int | None = None, quality: int = 95) -> bytes:
    """Return an image file's picture as PNG (from lossless formats) or JPEG bytes.

    The EXIF rotation is applied, transparency is laid on white, of an animation the first frame is taken, and all
    metadata (place, camera) is dropped.

    Args:
        path: the file.
        max_side: shrink to this longer side in pixels; ``None`` keeps the size. Never enlarges.
        quality: JPEG quality.

    Raises:
        UserError: the file is missing or not a readable image; names it.
    """
    try:
        with Image.open(path) as file:
            lossless = file.format in LOSSLESS
            upright = ImageOps.exif_transpose(file)
            image = _rgb(upright)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; put the image there or take it out of the captions") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is not a readable image ({error}); replace it or take it out of the captions"
        ) from error
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if lossless:
        return encode_png(image)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _rgb(image: Image.Image) -> Image.Image:
    """Return an RGB copy without metadata: more than 8 bits are scaled to 8, transparency becomes white."""
    if image.mode.startswith(("I", "F")):
        low, high = image.getextrema()
        scale = 255.0 / (65535 if low >= 0 and high > 255 else max(high, 1))
        image = image.convert("F").point(lambda value: value * scale + 0.0).convert("L")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    canvas = Image.new("RGB", image.size)
    canvas.paste(image.convert("RGB"))
    return canvas
