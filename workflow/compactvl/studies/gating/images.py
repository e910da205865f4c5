"""Where a variant's image vectors come from: a token store, or vector files that came with the captions."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from compactvl.data.canonical import CanonicalSet
from compactvl.data.vector_file import VectorFiles
from compactvl.errors import UserError
from compactvl.records.layout import Layout
from compactvl.studies.gating.settings import Image
from compactvl.vision.store import TokenStore


class ImageVectors(Protocol):
    """Image ids → vectors."""

    def read(self, image_ids: Sequence[str]) -> Tensor:
        """Return (B, N, width) float32; raises ``UserError`` for an unknown image."""


class StoredVectors:
    """Vectors of a token store: its CLS vectors, or its patch tokens."""

    def __init__(self, store: TokenStore, image: Image) -> None:
        self._store, self._patches = store, image.input == "patches"
        width = store.shape[1] if self._patches else store.pooled_dim
        if width != image.width:
            raise UserError(
                f"{store.folder} holds vectors of width {width}, the variant expects {image.width}: set image.width"
            )

    def read(self, image_ids: Sequence[str]) -> Tensor:
        """See :class:`ImageVectors`."""
        if self._patches:
            return torch.from_numpy(self._store.read(image_ids)).float()
        return torch.from_numpy(self._store.pooled(image_ids))[:, None]


class FileVectors:
    """Vectors of ``.npy`` files, one an image."""

    def __init__(self, dataset: CanonicalSet, image: Image) -> None:
        facts = dataset.manifest.get("vectors")
        if not facts:
            raise UserError(
                f"data set {dataset.name!r} brings no image vectors: name the encoder of its token store in image.encoder"
            )
        self._files = VectorFiles(facts)
        if image.input == "patches" or self._files.dim != image.width:
            raise UserError(
                f"data set {dataset.name!r} brings one vector of {self._files.dim} numbers an image, the variant expects "
                f"{image.input} of width {image.width}: change `image`"
            )

    def read(self, image_ids: Sequence[str]) -> Tensor:
        """See :class:`ImageVectors`."""
        return torch.from_numpy(np.asarray(self._files.read(image_ids), dtype=np.float32))[:, None]


class SeveralVectors:
    """Vectors of several data sets whose image ids differ."""

    def __init__(self, parts: Sequence[tuple[CanonicalSet, ImageVectors]]) -> None:
        self._owner: dict[str, ImageVectors] = {}
        for dataset, vectors in parts:
            for image_id in dataset.items["image_id"].unique():
                if image_id in self._owner:
                    raise UserError(
                        f"data set {dataset.name!r}: image id {image_id!r} is in another data set too; make ids differ"
                    )
                self._owner[image_id] = vectors

    def read(self, image_ids: Sequence[str]) -> Tensor:
        """See :class:`ImageVectors`."""
        parts: dict[int, list[int]] = {}
        owners = [self._owner[image_id] for image_id in image_ids]
        for row, owner in enumerate(owners):
            parts.setdefault(id(owner), []).append(row)
        read = {key: owners[rows[0]].read([image_ids[i] for i in rows]) for key, rows in parts.items()}
        result = torch.empty(len(image_ids), *next(iter(read.values())).shape[1:])
        for key, rows in parts.items():
            result[rows] = read[key]
        return result


class OrZeros:
    """Vectors of images, and zeros for a text that has none: its image id is empty."""

    def __init__(self, vectors: ImageVectors, any_image: str) -> None:
        self._vectors, self._any_image = vectors, any_image

    def read(self, image_ids: Sequence[str]) -> Tensor:
        """See :class:`ImageVectors`."""
        read = self._vectors.read([image_id or self._any_image for image_id in image_ids])
        read[[not image_id for image_id in image_ids]] = 0
        return read


def open_images(image: Image, layout: Layout, dataset: CanonicalSet) -> ImageVectors:
    """Open the vectors of a data set's images for a variant.

    Raises:
        UserError: there are none, or they are of another width.
    """
    if image.encoder is None:
        return FileVectors(dataset, image)
    return StoredVectors(TokenStore.open(layout.tokens(image.encoder, dataset.name)), image)


def open_all_images(image: Image, layout: Layout, datasets: Sequence[CanonicalSet]) -> ImageVectors:
    """Open the vectors of several data sets' images as one."""
    opened = [open_images(image, layout, dataset) for dataset in datasets]
    return opened[0] if len(opened) == 1 else SeveralVectors(list(zip(datasets, opened, strict=True)))
