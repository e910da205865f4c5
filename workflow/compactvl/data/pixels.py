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

import numpy as np
from PIL import Image, ImageOps

WHITE = 255


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as RGB without metadata; the file's pixels are decoded now.

    Raises:
        Exception: of many types, where the file is damaged; callers name the file.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(image))
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, WHITE)), image)
    plain = Image.new("RGB", image.size)
    plain.paste(image.convert("RGB"))
    return plain


def _eight_bits(image: Image.Image) -> np.ndarray:
    """Return a grey image of more than 8 bits as uint8 (H, W); the transparent grey, if it has one, as white."""
    grey = np.nan_to_num(np.asarray(image).astype(np.float64))
    largest = grey.max(initial=0.0)
    if image.mode.startswith("I;16"):
        top = 65535.0
    elif image.mode == "F" and largest <= 1:
        top = 1.0
    else:
        top = next((known for known in (255.0, 65535.0) if largest <= known), largest)
    scaled = np.clip(grey * (255.0 / top) + 0.5, 0, 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        scaled[grey == transparent] = WHITE
    return scaled
