"""What a stack sees of an image: cached tokens of an encoder, or pixels."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.nn.compute import compute_device
from compactvl.records.layout import Layout
from compactvl.studies.dide.settings import PixelImages, TokenImages
from compactvl.vision.identity import encoder_of
from compactvl.vision.pixels import PixelBatch, PixelLoader, pixel_batches
from compactvl.vision.store import TokenStore

SAMPLE = 512
"""Images by whose tokens they are standardised."""


@dataclass(frozen=True)
class ImageBatch:
    """Images on the compute device.

    Attributes:
        values: float32, tokens (B, T, d_v) or pixels (B, 3, H, W).
        mask: (B, H, W) bool, true where there is an image; ``None`` where nothing is padded.
    """

    values: Tensor
    mask: Tensor | None = None


class StoredImages:
    """Tokens of a store.

    Attributes:
        facts: whose tokens they are, for a run's manifest.
    """

    def __init__(self, store: TokenStore, images: TokenImages) -> None:
        if store.shape != (images.side**2, images.width):
            raise UserError(
                f"{store.folder} holds {store.shape[0]} tokens of width {store.shape[1]}, the variant's `images` say "
                f"{images.side} x {images.side} of width {images.width}; correct that setting"
            )
        self.store, self.facts = store, {"encoder": encoder_of(store)}

    def read(self, image_ids: Sequence[str]) -> ImageBatch:
        """Return images by id.

        Raises:
            UserError: the store lacks one.
        """
        return ImageBatch(torch.from_numpy(self.store.read(image_ids)).float().to(compute_device()))

    def training(self, ids_of: Callable[[int], Sequence[str]], steps: int, seed: int, exits: ExitStack) -> "ByStep":
        """Return what gives the images of a step."""
        return lambda step: self.read(ids_of(step))


class DatasetPixels:
    """Pixels of a data set's images, as they are fitted and, in training, augmented."""

    def __init__(self, dataset: CanonicalSet, images: PixelImages) -> None:
        self.dataset, self.settings, self.facts = dataset, images.pixels, {}

    def read(self, image_ids: Sequence[str]) -> ImageBatch:
        """Return images by id, not augmented.

        Raises:
            UserError: one is unknown, or cannot be decoded.
        """
        return _on_device(next(pixel_batches(self.dataset, self.settings, [(0, image_ids)], None)))

    def training(self, ids_of: Callable[[int], Sequence[str]], steps: int, seed: int, exits: ExitStack) -> "ByStep":
        """Return what gives the images of a step, prepared ahead until ``exits`` ends."""
        loader = exits.enter_context(PixelLoader(self.dataset, self.settings, ids_of, steps, seed))
        return lambda step: _on_device(loader(step))


Images = StoredImages | DatasetPixels
ByStep = Callable[[int], ImageBatch]


def open_images(settings: TokenImages | PixelImages, layout: Layout, dataset: str) -> Images:
    """Open the images of the data set that holds them, as a variant sees them.

    Raises:
        UserError: they are missing or corrupt, or tokens are of another shape.
    """
    if isinstance(settings, TokenImages):
        return StoredImages(TokenStore.open(layout.tokens(settings.encoder, dataset)), settings)
    return DatasetPixels(CanonicalSet.open(layout.dataset(dataset)), settings)


def token_statistics(images: StoredImages, image_ids: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each number of the tokens of the first :data:`SAMPLE` images, float32 (d_v,)."""
    tokens = images.store.read(list(image_ids[:SAMPLE])).astype(np.float32)
    mean, std = tokens.mean((0, 1)), tokens.std((0, 1))
    return torch.from_numpy(mean), torch.from_numpy(std).clamp_min(1e-3)


def pick(images: ImageBatch, rows: Tensor) -> ImageBatch:
    """Select images of a batch by their place in it."""
    return replace(images, values=images.values[rows], mask=None if images.mask is None else images.mask[rows])


def _on_device(batch: PixelBatch) -> ImageBatch:
    batch = batch.to(compute_device())
    return ImageBatch(batch.pixels, batch.mask)
