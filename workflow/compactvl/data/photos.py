"""Photographs of any format → upright RGB (see :mod:`compactvl.data.pixels`), re-encoded without metadata."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from compactvl.data.pixels import PNG, encode_png, read_rgb
from compactvl.errors import UserError

LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF", "PPM"})
SIGNATURES = {PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
REMEDY = "replace it or take it out of the captions"


def read_photo(path: Path, *, max_side: int | None = None, quality: int = 95) -> bytes:
    """Return an image file's picture as PNG (from lossless formats) or JPEG bytes, without metadata (place, camera).

    Larger pictures are shrunk to ``max_side``, the longer side in pixels.

    Raises:
        UserError: the file is missing, not a readable image, or larger than Pillow's safety limit; names it.
    """
    data = b""
    try:
        data = path.read_bytes()
        image, kind = read_rgb(data)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; put the image there or take it out of the captions") from None
    except Exception as error:  # whatever a damaged file provokes in Pillow's many readers
        raise UserError(f"{path} is not a readable image ({why(error, data)}); {REMEDY}") from error
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    if kind in LOSSLESS:
        return encode_png(image)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def why(error: Exception, data: bytes) -> str:
    """Return in one line why Pillow could not read an image's bytes."""
    if isinstance(error, Image.DecompressionBombError):
        return f"over {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, which may be a decompression bomb"
    if not isinstance(error, UnidentifiedImageError):
        return (str(error).splitlines() or [type(error).__name__])[0]
    if not data:
        return "the file is empty"
    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        return "a HEIC photo, which Pillow does not read: save it as JPEG"
    for start, name in SIGNATURES.items():
        if data.startswith(start):
            return f"a damaged {name}"
    text = " ".join(data[:60].decode("utf-8", "replace").split())
    if text.isprintable() and "\ufffd" not in text[:-1]:
        return f"it is text, which begins with {text!r}"
    return "no image format that Pillow knows"
