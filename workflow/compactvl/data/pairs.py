"""Image-caption pairs of one split, indexed both ways."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError


@dataclass(frozen=True)
class Pairs:
    """Captions with their images, distinct ones in order of first use.

    Attributes:
        owner: int64 (captions,), index of each caption's image.
    """

    image_ids: list[str]
    captions: list[str]
    owner: np.ndarray

    @cached_property
    def of_image(self) -> list[np.ndarray]:
        """For each image, the indices of its captions."""
        order = np.argsort(self.owner, kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.owner, minlength=len(self.image_ids)))[:-1])

    @cached_property
    def text(self) -> np.ndarray:
        """int64 (captions,), equal where two captions are the same words."""
        return pd.factorize(np.array(self.captions, dtype=object), sort=True)[0]

    @staticmethod
    def of(dataset: CanonicalSet, split: str, column: str = "caption") -> "Pairs":
        """Collect the pairs of a split.

        Raises:
            UserError: the split is empty or the column is missing.
        """
        items = dataset.items
        if column not in items.columns:
            raise UserError(f"data set {dataset.name} has no column {column!r}; columns: {', '.join(items.columns)}")
        items = items[items["split"] == split]
        if items.empty:
            raise UserError(f"data set {dataset.name} has no items in split {split!r}")
        owner, image_ids = pd.factorize(items["image_id"])
        return Pairs(list(image_ids), items[column].tolist(), owner)

    def steps(self, batch: int) -> int:
        """Batches of an epoch, which shows each caption once, as EDJE's and DiDE's lists of annotations do."""
        return max(1, len(self.captions) // batch)

    def batch(
        self, size: int, rng: np.random.Generator, group: int = 1, vectors: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw ``size`` distinct pairs, or all if there are fewer: (image indices, caption indices).

        An image can come with two of its captions. With ``group`` above 1, the batch is made of groups of so many pairs
        whose images are alike: a drawn one and others from its ``4 · group`` nearest by ``vectors`` (images, dim) of unit
        length, so that negatives in the batch are hard ones.
        """
        captions = rng.permutation(len(self.captions))[:size]
        if group > 1:
            seeds = captions[: max(1, len(captions) // group)]
            similarity = vectors[self.owner[seeds]] @ vectors.T
            near = np.argsort(-similarity, axis=1, kind="stable")[:, 1 : 4 * group + 1]
            others = [rng.choice(self.of_image[i]) for row in near for i in rng.permutation(row)[: group - 1]]
            # Pairs that were drawn twice leave room, which the rest of the first draw fills.
            wanted = np.concatenate([seeds, np.array(others, dtype=captions.dtype), captions])
            captions = wanted[np.sort(np.unique(wanted, return_index=True)[1])][: len(captions)]
        return self.owner[captions], captions

    def matching(self, captions: np.ndarray) -> np.ndarray:
        """Which rows of a batch match each other's columns: (B, B) bool, true for one image or equal words."""
        images, texts = self.owner[captions], self.text[captions]
        return (images[:, None] == images[None]) | (texts[:, None] == texts[None])

    def subset(self, images: np.ndarray, captions_per_image: int | None = None) -> "Pairs":
        """Keep some images, and the first ``captions_per_image`` captions of each."""
        keep = [index for image in images for index in self.of_image[image][:captions_per_image]]
        row = {int(image): index for index, image in enumerate(images)}
        owner = np.array([row[int(self.owner[index])] for index in keep])
        return Pairs([self.image_ids[image] for image in images], [self.captions[index] for index in keep], owner)
