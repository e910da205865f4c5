"""Photographs of any format → upright RGB (see :mod:`compactvl.data.pixels`), re-encoded without metadata."""

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from compactvl.data.pixels import PNG, encode_png, read_rgb
from compactvl.errors import UserError

LOSSLESS = frozenset({"PNG", "BMP", "GIF", "TIFF", "PPM"})
LONGEST_JPEG = 65500
"""Pixels a side, the limit of libjpeg."""
SIGNATURES = {
    PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP  ": "JPEG 2000", b"\xff\x4f\xff\x51": "JPEG 2000", b"8BPS": "PSD",
}  # fmt: skip
AVIF = {b"avif", b"avis"}
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
REMEDY = "replace it or take it out of the captions"


def read_photo(path: Path, *, max_side: int | None = None, quality: int = 95) -> bytes:
    """Return an image file's picture as PNG or JPEG bytes, without metadata (place, camera).

    PNG are those of lossless formats, and what is too long for JPEG. Larger pictures are shrunk to ``max_side``, the longer side in pixels.

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
    if kind in LOSSLESS or max(image.size) > LONGEST_JPEG:
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
    if data[4:8] == b"ftyp" and data[8:12] in AVIF:
        return "an AVIF photo that Pillow cannot read: save it as JPEG"
    if data.startswith(b"%PDF"):
        return "a PDF document: save its picture as JPEG or PNG"
    for start, name in SIGNATURES.items():
        if data.startswith(start):
            return f"a damaged {name}"
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = " ".join(data[:60].decode("utf-16" if wide else "utf-8-sig", "replace").split())
    if text.isprintable() and "\ufffd" not in text[:-1]:
        return f"it is text, which begins with {text!r}"
    return "no image format that Pillow knows"
