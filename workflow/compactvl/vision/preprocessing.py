"""From image bytes to a fixed uint8 array, with the exact choices recorded in every token manifest."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from compactvl.data.photos import why
from compactvl.data.pixels import read_rgb
from compactvl.errors import UserError

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
MUCH = 1 << 24
"""Pixels an image may be enlarged to as a whole: a narrow picture could take gigabytes."""


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes a model's input.

    Attributes:
        image_size: side of the square output in pixels.
        resize: ``crop`` (shortest side to ``image_size / crop_fraction``, all sides rounded down, then the centre),
            ``squash`` (both sides to ``image_size``), ``pad`` (longest side to ``image_size``, white around).
        crop_fraction: share of the resized shortest side the crop keeps; 1 keeps it all.
        interpolation: Pillow's resampling filter.
        mean: subtracted after scaling to 0..1, one a channel (RGB).
        std: divided by after that, one a channel.
        halves: where a crop lies half a pixel off the middle: ``even``, at the even number (torchvision, so timm and
            open_clip), or ``down``, at the lower one (transformers).
    """

    image_size: int
    resize: str
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    crop_fraction: float = 1.0
    halves: str = "even"

    def facts(self) -> dict[str, Any]:
        """Return the choices as JSON, the fixed ones (colour, orientation, transparency) included."""
        fixed = {"colour": "RGB", "orientation": "EXIF", "transparency": "over white", "scale": "0..1"}
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std), **fixed}

    def __call__(self, data: bytes) -> np.ndarray:
        """Decode and resize one image.

        Args:
            data: bytes of a file Pillow reads (PNG, JPEG, WebP, ...).

        Returns:
            uint8 array (3, image_size, image_size).

        Raises:
            UserError: the bytes are no readable image.
        """
        image = self.fit(decode(data))
        return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))

    def fit(self, image: Image.Image) -> Image.Image:
        """Resize an RGB image to the square."""
        side, sampling = self.image_size, INTERPOLATIONS[self.interpolation]
        if self.resize == "squash":
            return image.resize((side, side), sampling)
        if self.resize == "pad":
            scale = side / max(image.size)
            fitted = image.resize(tuple(max(1, round(edge * scale)) for edge in image.size), sampling)
            canvas = Image.new("RGB", (side, side), (255, 255, 255))
            canvas.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
            return canvas
        smallest, short = min(image.size), int(side / self.crop_fraction)
        width, height = (int(short * edge / smallest) for edge in image.size)
        spare = (width - side, height - side)
        left, top = (edge // 2 if self.halves == "down" else round(edge / 2) for edge in spare)
        if width * height > max(MUCH, image.width * image.height):  # only what the crop keeps is computed
            x, y = image.width / width, image.height / height
            box = (left * x, top * y, (left + side) * x, (top + side) * y)
            return image.resize((side, side), sampling, box=box)
        return image.resize((width, height), sampling).crop((left, top, left + side, top + side))


@dataclass(frozen=True)
class AspectPreprocessing:
    """How an image that keeps its proportions becomes a model's input, as ViLT resizes it.

    Attributes:
        shorter: the shorter side in pixels, unless the longer one were too long.
        longer: the most the longer side may have.
        multiple: both sides are cut to a multiple of this, and have at least this.
        interpolation, mean, std: see :class:`Preprocessing`.
    """

    shorter: int
    longer: int
    multiple: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height that an image gets."""
        # In ViLT's order of steps: others round some sizes to another multiple.
        shortest = min(width, height)
        sides = [self.shorter if edge == shortest else self.shorter / shortest * edge for edge in (width, height)]
        shrink = min(1.0, self.longer / max(sides))
        return tuple(max(int(shrink * side + 0.5) // self.multiple, 1) * self.multiple for side in sides)

    def fit(self, image: Image.Image) -> Image.Image:
        """Resize an RGB image to its size."""
        return image.resize(self.size(*image.size), INTERPOLATIONS[self.interpolation])


def decode(data: bytes) -> Image.Image:
    """Decode to upright RGB (see :mod:`compactvl.data.pixels`).

    Raises:
        UserError: not an image, cut short, or larger than Pillow's safety limit.
    """
    try:
        return read_rgb(data)[0]
    except Exception as error:  # whatever damaged bytes provoke in Pillow's many readers
        raise UserError(f"image cannot be decoded ({why(error, data)}); mend or remove it") from error
