"""Twins in a data set of scenes: images and captions of the same words with relation, counts or sizes exchanged."""

from collections.abc import Sequence

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.data.scene import exchange, scene_from_meta
from compactvl.data.scenes import TWIN_KINDS
from compactvl.errors import UserError


def twins(dataset: CanonicalSet, image_ids: Sequence[str]) -> np.ndarray:
    """Return the place of each image's twin among ``image_ids``: int64 (images,), −1 where it has none.

    Raises:
        UserError: no image has one.
    """
    meta = dataset.images.set_index("image_id")["meta"] if "meta" in dataset.images else {}
    scenes = [scene_from_meta(meta[image_id]) if meta.get(image_id) else None for image_id in image_ids]
    place = {scene.content: number for number, scene in enumerate(scenes) if scene is not None}
    found = np.full(len(scenes), -1)
    for number, scene in enumerate(scenes):
        for kind in TWIN_KINDS if scene is not None else ():
            other = exchange(scene, kind)
            if other is not None and place.get(other.content, number) != number:
                found[number] = place[other.content]
    if (found < 0).all():
        raise UserError(f"data set {dataset.name} has no twins, the same words exchanged: set `negatives.twins` to 0")
    return found


def exchanged_captions(dataset: CanonicalSet, split: str) -> list[str]:
    """Return the exchanged caption of each caption of a split, in the set's order; "" where there is none.

    Raises:
        UserError: the data set has none.
    """
    items = dataset.items
    if "exchanged" not in items.columns:
        raise UserError(f"data set {dataset.name} has no exchanged captions: set `negatives.exchanged` to 0")
    return items.loc[items["split"] == split, "exchanged"].tolist()
