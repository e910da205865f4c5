"""What the language tasks made of scenes share: the held-out pictures, what is true of them, even draws."""

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.inflection import plural
from compactvl.data.scene import Scene, scene_from_meta
from compactvl.data.scene_task import SceneTask
from compactvl.errors import UserError

HELD_OUT = ("val", "test")
AXES = {"left_right": 0, "above_below": 1}
Direction = tuple[str, bool]  # kind of relation, and whether to the left or above rather than to the right or below
T = TypeVar("T")


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


def draw_evenly(
    candidates: Sequence[T],
    number: int,
    *,
    key: Callable[[T], Hashable],
    once: Callable[[T], Hashable],
    rng: np.random.Generator,
) -> list[T]:
    """Draw up to ``number`` candidates, one of each ``key`` in turn, none with the same ``once`` as an earlier one.

    Keys with fewer candidates are served first. Every beginning of the result is drawn as evenly.
    """
    piles: dict[Hashable, list[T]] = {}
    for i in rng.permutation(len(candidates)):
        piles.setdefault(key(candidates[i]), []).append(candidates[i])
    turns = sorted(piles.values(), key=len)
    used: set[Hashable] = set()
    chosen: list[T] = []
    while any(turns) and len(chosen) < number:
        for pile in turns:
            while pile and once(pile[-1]) in used:
                pile.pop()
            if pile and len(chosen) < number:
                used.add(once(pile[-1]))
                chosen.append(pile.pop())
    return chosen


def share(lists: Iterable[Sequence[T]], number: int) -> list[T]:
    """Return ``number`` elements, as many of each list as it has or an equal share; in the lists' order."""
    lists = list(lists)
    rounds = [[(i, one) for i, one in enumerate(row) if one is not None] for row in zip_longest(*lists)]
    taken = [pair for row in rounds for pair in row][:number]
    return [one for _, one in sorted(taken, key=lambda pair: pair[0])]


def enough(rows: list[T], number: int, what: str, place: str) -> list[T]:
    """Return ``rows``.

    Raises:
        UserError: there are fewer than ``number``.
    """
    if len(rows) < number:
        raise UserError(
            f"{place}: {number} {what} asked for, the scenes give {len(rows)}; "
            "ask for fewer, or for more scenes or concepts"
        )
    return rows


def majority(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return split → type → accuracy of always giving the type's most frequent answer."""
    answers: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        answers.setdefault(row["split"], {}).setdefault(row["type"], []).append(row["answer"])
    return {
        split: {kind: round(max(map(own.count, own)) / len(own), 4) for kind, own in types.items()}
        for split, types in answers.items()
    }
