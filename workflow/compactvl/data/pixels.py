"""Any picture Pillow opens → upright RGB, 8 bits a channel: what curating and encoding both begin with.

| file | becomes |
|---|---|
| EXIF orientation | turned upright |
| animation (GIF, PNG, WebP) | its first frame |
| 16-bit greys | divided by 257; a colour PNG of 16 bits keeps its upper 8 |
| 32-bit integers and floats | by their range: to 1 (floats), 255, 65535, or their largest value |
| transparency | laid on white |
| CMYK, palette, grey, black and white | converted by Pillow; colour profiles are not applied |
"""

import contextlib
import io

import numpy as np
from PIL import Image, ImageOps

WHITE = 255
PNG = b"\x89PNG\r\n\x1a\n"
PNG_PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT", b"eXIf"}
"""Chunks of a PNG that make the picture; the others hold texts, profiles, sizes in print."""

NEW_SUBFILE_TYPE, DNG_VERSION, THUMBNAIL = 254, 50706, 1
"""TIFF: what an image of the file is, a tag of camera raw, and the bit of the first that says a small copy of another."""
BLOCK = 1 << 20
"""Pixels that are converted at once: in float64 a whole picture takes much memory."""


def read_rgb(data: bytes) -> tuple[Image.Image, str]:
    """Decode a file's bytes to RGB without metadata; return the picture and Pillow's name of the format.

    Raises:
        Exception: of many types, where the file is damaged; callers name the file.
    """
    try:
        return _read(data)
    except Exception:
        if not data.startswith(PNG):
            raise
        return _read(_without_metadata(data))  # which may be what fails: too long for Pillow's limits, or damaged


def _read(data: bytes) -> tuple[Image.Image, str]:
    with Image.open(io.BytesIO(data)) as image:
        if data.startswith(PNG) and data[24:26] == b"\x10\x02" and "transparency" in image.info:
            # 16 bits a channel, of which Pillow reads 8: too few to tell which pixels have the transparent colour.
            raise ValueError("a 16-bit PNG with a transparent colour; save it with an alpha channel, or 8 bits")
        if image.format == "TIFF" and (
            THUMBNAIL & image.tag_v2.get(NEW_SUBFILE_TYPE, 0) or DNG_VERSION in image.tag_v2
        ):
            raise ValueError("camera raw, of which Pillow reads the thumbnail; convert it to JPEG or PNG")
        return _to_rgb(image), image.format or ""


def _without_metadata(png: bytes) -> bytes:
    kept, at = [PNG], len(PNG)
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4], "big")  # length, name, content, checksum
        if png[at + 4 : at + 8] in PNG_PICTURE:
            kept.append(png[at:end])
        at = end
    return b"".join(kept)


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    with contextlib.suppress(Exception):  # damaged metadata: the picture stays as it is stored
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(image))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, WHITE)), image)
    plain = Image.new("RGB", image.size)
    plain.paste(image if image.mode == "RGB" else image.convert("RGB"))
    return plain


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Return a grey image of more than 8 bits as uint8 (H, W); the transparent grey, if it has one, as white."""
    stored = np.asarray(image)
    rows = max(1, BLOCK // max(1, image.width))
    blocks = [slice(start, start + rows) for start in range(0, image.height, rows)]

    def greys(block: slice) -> np.ndarray:
        return np.nan_to_num(stored[block].astype(np.float64), copy=False)

    largest = max((greys(block).max(initial=0.0) for block in blocks), default=0.0)
    if image.mode.startswith("I;16"):
        top = 65535.0
    elif image.mode == "F" and largest <= 1:
        top = 1.0
    else:
        top = next((known for known in (255.0, 65535.0) if largest <= known), largest)
    scaled = np.empty(stored.shape, np.uint8)
    transparent = image.info.get("transparency")
    for block in blocks:
        grey = greys(block)
        scaled[block] = np.clip(grey * (255.0 / top) + 0.5, 0, 255)
        if isinstance(transparent, int):
            scaled[block][grey == transparent] = WHITE
    return scaled


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG bytes; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
