"""Random changes of training images, drawn from numpy's generators: torchvision and timm draw from global ones."""

from functools import partial

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from compactvl.config.pixels import Augmentation, RandAugment, RandomCrop

TRIES = 10


def augment(image: Image.Image, settings: Augmentation, rng: np.random.Generator) -> Image.Image:
    """Return a random variant of an RGB image; its size changes only where it is cropped."""
    if settings.crop is not None:
        image = image.crop(crop_box(image.size, settings.crop, rng))
    if rng.random() < settings.flip:
        image = ImageOps.mirror(image)
    return image if settings.operations is None else rand_augment(image, settings.operations, rng)


def crop_box(size: tuple[int, int], crop: RandomCrop, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw left, top, right and bottom of a part of an image (width, height) as torchvision's RandomResizedCrop does.

    Where no part of the drawn area and ratio fits, it is the middle, as much as the ratios allow.
    """
    width, height = size
    for _ in range(TRIES):
        area = width * height * rng.uniform(*crop.area)
        ratio = np.exp(rng.uniform(*np.log(crop.ratio)))
        w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    w, h = min(width, round(height * crop.ratio[1])), min(height, round(width / crop.ratio[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def rand_augment(image: Image.Image, settings: RandAugment, rng: np.random.Generator) -> Image.Image:
    """Apply operations of ViLT's list, drawn with replacement, each in one of its two directions if it has two."""
    for name in rng.choice(list(OPERATIONS), settings.operations):
        operation, low, high, two_sided = OPERATIONS[name]
        value = low + (high - low) * settings.magnitude / 30
        image = operation(image, -value if two_sided and rng.random() < 0.5 else value)
    return image


def _enhance(kind: type, image: Image.Image, value: float) -> Image.Image:
    return kind(image).enhance(value)


def _move(matrix: tuple[float, ...], image: Image.Image, value: float) -> Image.Image:
    """Shear or shift by the identity plus ``value`` times a matrix; what comes from outside is black."""
    coefficients = [one + value * change for one, change in zip((1, 0, 0, 0, 1, 0), matrix, strict=True)]
    return image.transform(image.size, Image.Transform.AFFINE, coefficients)


def _solarize_add(image: Image.Image, value: float) -> Image.Image:
    """Add to every value, then invert those of 128 and more: ViLT's version, which AutoAugment's differs from."""
    brighter = [min(255, int(level + value)) for level in range(256)]
    return image.point([level if level < 128 else 255 - level for level in brighter] * 3)


OPERATIONS = {
    "auto_contrast": (lambda image, value: ImageOps.autocontrast(image), 0, 1, False),
    "equalize": (lambda image, value: ImageOps.equalize(image), 0, 1, False),
    "rotate": (lambda image, value: image.rotate(value), 0, 30, True),
    "posterize": (lambda image, value: ImageOps.posterize(image, max(1, int(value))), 0, 4, False),
    "solarize": (lambda image, value: ImageOps.solarize(image, value), 0, 256, False),
    "solarize_add": (_solarize_add, 0, 110, False),
    "colour": (partial(_enhance, ImageEnhance.Color), 0.1, 1.9, False),
    "contrast": (partial(_enhance, ImageEnhance.Contrast), 0.1, 1.9, False),
    "brightness": (partial(_enhance, ImageEnhance.Brightness), 0.1, 1.9, False),
    "sharpness": (partial(_enhance, ImageEnhance.Sharpness), 0.1, 1.9, False),
    "shear_x": (partial(_move, (0, 1, 0, 0, 0, 0)), 0, 0.3, True),
    "shear_y": (partial(_move, (0, 0, 0, 1, 0, 0)), 0, 0.3, True),
    "shift_x": (partial(_move, (0, 0, 1, 0, 0, 0)), 0, 100, True),
    "shift_y": (partial(_move, (0, 0, 0, 0, 0, 1)), 0, 100, True),
}
"""Name → operation, its values at magnitudes 0 and 30, whether it has two directions: RandAugment without the inversion
of colours, which captions name, and without cut-outs (ViLT, section 4.1)."""
