"""Pixels for models that are trained on them: read, decoded, augmented and fitted ahead, in threads.

An image's random changes are drawn from a generator of (seed, step, its position in the step), so a batch is the same
whatever the number of threads, and a resumed run goes on bit for bit.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import NamedTuple, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from compactvl.config.pixels import PixelSettings, SquareFit
from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.vision.ahead import made_ahead
from compactvl.vision.augmentation import augment
from compactvl.vision.preprocessing import AspectPreprocessing, Preprocessing, decode


class Part(NamedTuple):
    """A part of an image: ``box`` is x, y, width, height in pixels; what of it lies outside of the image is left out."""

    image_id: str
    box: tuple[float, float, float, float]

    def cut(self, image: Image.Image) -> Image.Image:
        """Return that part of the image, one pixel at least."""
        x, y, width, height = self.box
        left, top = (min(max(0, floor(v)), side - 1) for v, side in zip((x, y), image.size, strict=True))
        right = max(left + 1, min(image.width, ceil(x + width)))
        return image.crop((left, top, right, max(top + 1, min(image.height, ceil(y + height)))))


Shown = str | Part
"""What is read of a data set: an image by its id, or a part of it."""


@dataclass(frozen=True)
class PixelBatch:
    """Images of one step.

    Attributes:
        pixels: (B, 3, H, W) float32, normalised; 0 where an image is padded, below it and to its right.
        mask: (B, H, W) bool, true where there is an image; ``None`` where nothing is padded.
    """

    pixels: Tensor
    mask: Tensor | None

    @staticmethod
    def of(images: Sequence[np.ndarray]) -> "PixelBatch":
        """Pad images (3, h, w) to the largest height and width among them."""
        shapes = [image.shape[1:] for image in images]
        if len(set(shapes)) == 1:
            return PixelBatch(torch.from_numpy(np.stack(images)), None)
        height, width = map(max, zip(*shapes, strict=True))
        pixels, mask = torch.zeros(len(images), 3, height, width), torch.zeros(len(images), height, width, dtype=bool)
        for row, (image, (h, w)) in enumerate(zip(images, shapes, strict=True)):
            pixels[row, :, :h, :w] = torch.from_numpy(image)
            mask[row, :h, :w] = True
        return PixelBatch(pixels, mask)

    def to(self, device: torch.device) -> "PixelBatch":
        """The same batch on another device."""
        return PixelBatch(self.pixels.to(device), None if self.mask is None else self.mask.to(device))


def pixel_batches(
    dataset: CanonicalSet, settings: PixelSettings, steps: Iterable[tuple[int, Sequence[Shown]]], seed: int | None
) -> Generator[PixelBatch, None, None]:
    """Yield the images of each step; two further steps at most are held in memory.

    Args:
        dataset: whose images.
        settings: size, augmentation, threads.
        steps: (number of the step, its images' ids, or parts of them).
        seed: of the augmentation; ``None`` for none (evaluation).

    Raises:
        UserError: an unknown image, or one that cannot be read or decoded; names it.
    """
    fit = _fit(settings, cropped=seed is not None and settings.augment.crop is not None)
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (fit.mean, fit.std))

    def prepare(place: tuple[int, int, Shown]) -> np.ndarray:
        step, position, shown = place
        image_id = shown.image_id if isinstance(shown, Part) else shown
        try:
            image = decode(dataset.image_bytes(image_id))
        except UserError as error:
            raise UserError(f"data set {dataset.name!r}, image {image_id!r}: {error}") from error
        image = shown.cut(image) if isinstance(shown, Part) else image
        if seed is not None:
            own = np.random.SeedSequence([seed, step], spawn_key=(position,))
            image = augment(image, settings.augment, np.random.default_rng(own))
        pixels = np.asarray(fit.fit(image)).transpose(2, 0, 1).astype(np.float32, order="C")
        pixels /= 255
        pixels -= mean
        pixels /= std
        return pixels

    places = ([(step, position, one) for position, one in enumerate(ids)] for step, ids in steps)
    with closing(made_ahead(places, prepare, settings.decode_threads)) as made:
        for images in made:
            yield PixelBatch.of(images)


class PixelLoader:
    """Batches by step, of a training that may begin anywhere: ``with PixelLoader(...) as batch: ... batch(step)``.

    Args:
        ids_of: the images' ids of a step, or parts of them, by its number; a function of the number alone.
        steps: how many there are.
        dataset, settings, seed: see :func:`pixel_batches`.
    """

    def __init__(
        self,
        dataset: CanonicalSet,
        settings: PixelSettings,
        ids_of: Callable[[int], Sequence[Shown]],
        steps: int,
        seed: int | None,
    ) -> None:
        self._batches_from = lambda first: pixel_batches(
            dataset, settings, ((step, ids_of(step)) for step in range(first, steps)), seed
        )
        self._next, self._batches = steps, self._batches_from(steps)

    def __call__(self, step: int) -> PixelBatch:
        """Return the batch of a step; steps in order are prepared ahead."""
        if step != self._next:
            self.close()
            self._batches = self._batches_from(step)
        self._next = step + 1
        return next(self._batches)

    def close(self) -> None:
        """End the threads; what is prepared is dropped."""
        self._batches.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _fit(settings: PixelSettings, cropped: bool) -> Preprocessing | AspectPreprocessing:
    values = settings.fit.model_dump(exclude={"shape"})
    if not isinstance(settings.fit, SquareFit):
        return AspectPreprocessing(**values)
    fit = Preprocessing(**values)
    return replace(fit, resize="squash") if cropped else fit
