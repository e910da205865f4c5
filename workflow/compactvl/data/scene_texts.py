"""The held-out pictures that language tasks are made of, and what is true of them."""

import json
from dataclasses import dataclass

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.draws import HELD_OUT
from compactvl.data.inflection import plural
from compactvl.data.scene import AXES, Scene, scene_from_meta
from compactvl.data.scene_task import SceneTask

Direction = tuple[str, bool]  # kind of relation, and whether to the left or above rather than to the right or below


@dataclass(frozen=True)
class Picture:
    """A held-out scene as it is drawn; ``boxes`` are a group's boxes (count, 4): x0, y0, x1, y1."""

    image_id: str
    split: str
    scene: Scene
    boxes: tuple[np.ndarray, ...]

    def stands(self, direction: Direction, a: int, b: int) -> bool:
        """Whether group ``a`` stands wholly to that side of group ``b``, as captions say it."""
        kind, forward = direction
        axis = AXES[kind]
        first, second = (self.boxes[i] for i in ((a, b) if forward else (b, a)))
        return bool(first[:, axis + 2].max() <= second[:, axis].min())

    def leans(self, direction: Direction, a: int, b: int) -> bool:
        """Whether the middle of group ``a`` is further to that side than the middle of group ``b``."""
        axis = AXES[direction[0]]
        a_middle, b_middle = (float(self.boxes[i][:, [axis, axis + 2]].mean()) for i in (a, b))
        return a_middle < b_middle if direction[1] else a_middle > b_middle


def read_pictures(
    settings: SceneTask, job: Curation
) -> tuple[CanonicalSet, dict[str, list[Picture]], dict[str, Concept]]:
    """Return the scenes data set that a task is made of, its held-out pictures by split, and the concepts of all scenes.

    Raises:
        UserError: it names no scenes set.
    """
    base = job.open_set(settings.scenes, "scenes", "scenes")
    pictures: dict[str, list[Picture]] = {split: [] for split in HELD_OUT}
    for row in base.images[base.images["split"].isin(HELD_OUT)].itertuples():
        boxes = tuple(np.asarray(thing["boxes"]) for thing in json.loads(row.meta)["objects"])
        pictures[row.split].append(Picture(row.image_id, row.split, scene_from_meta(row.meta), boxes))
    return base, pictures, {concept: Concept(concept, plural(concept), "") for concept in base.manifest["concepts"]}
