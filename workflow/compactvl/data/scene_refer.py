"""The data set ``scene_refer``: expressions that mean one object of a scene, in RefCOCO's form.

Items: item_id, image_id, split, expression, boxes (JSON list of [x, y, width, height] in pixels: every object of the scene,
in random order), target (the place of the right one), type.

    name     "the dog"               the only dog
    kind     "the animal"            the only animal, of whatever sort
    place    "the dog on the left"   one of several dogs, plainly the leftmost

Each is a third, or a half where the scenes give nothing for one of them. Boxes come in random order, so that an expression
alone tells nothing: blind, a choice is right one time in as many as there are boxes (``chance`` in the manifest). A model
that is shown each box by itself, as RefCOCO's are here, cannot know its place: of the type ``place`` it can find the dogs,
not which of them.
"""

import json
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.data.captions import SIDES
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split, draw_evenly, enough, pick
from compactvl.data.kinds.scene_refer import Settings
from compactvl.data.scene import AXES
from compactvl.data.scene_splits import read_splits
from compactvl.data.scene_texts import Picture
from compactvl.data.things import KIND_OF

TYPES = ("name", "kind", "place")
PLAIN = 0.08
"""Share of the image's side by which the outermost of several is further out than the next."""
FORMS = {"name": ("the {}", "{}", "the {} in the picture"), "kind": ("the {}", "a {} in the picture")}


@dataclass(frozen=True)
class Expression:
    """What can be said of one object of a picture; ``what`` is what expressions of a type are balanced over."""

    type: str
    what: Hashable
    name: str
    group: int
    member: int = 0
    side: str = ""

    def text(self, rng: np.random.Generator) -> str:
        """Return the expression in words."""
        return f"the {self.name} {self.side}" if self.side else pick(FORMS[self.type], rng).format(self.name)


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_refer``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures = read_splits(settings, job)
    side = base.manifest["settings"]["image_size"]
    rows: list[dict] = []
    for stream, split in enumerate(SPLITS):
        rng = np.random.default_rng([settings.seed, 29, stream])
        number, own = getattr(settings.expressions, split), pictures[split]
        said = [(place, one) for place, picture in enumerate(own) for one in expressions_of(picture)]
        types = [kind for kind in TYPES if any(one.type == kind for _, one in said)]
        enough(types, 1, f"{split} expressions", f"{job.place}.expressions.{split}")
        for part, kind in enumerate(types):
            wanted = number // len(types) + (part < number % len(types))
            drawn = draw_evenly(
                [pair for pair in said if pair[1].type == kind],
                wanted,
                key=lambda pair: pair[1].what,
                once=lambda pair: pair[0],
                rng=rng,
            )
            enough(drawn, wanted, f"{split} expressions of type {kind}", f"{job.place}.expressions.{split}")
            for i, (place, one) in enumerate(drawn):
                boxes, target = _candidates(own[place], one, side, rng)
                rows.append(
                    {
                        "item_id": f"{split}-{kind}-{i:04d}", "image_id": own[place].image_id, "split": split,
                        "expression": one.text(rng), "boxes": json.dumps(boxes), "target": target, "type": kind,
                    }
                )  # fmt: skip
    items = pd.DataFrame(rows)
    chance = items.assign(chance=[1 / len(json.loads(boxes)) for boxes in items["boxes"]])
    job.write(
        settings,
        items,
        text_only=True,
        images_of=base.name,
        types=by_split(items, "type", len),
        chance=by_split(chance, "type", lambda own: round(float(own["chance"].mean()), 4)),
    )


def expressions_of(picture: Picture) -> Iterator[Expression]:
    """Yield what can be said of single objects of a picture that has two or more."""
    groups = picture.scene.groups
    if sum(group.count for group in groups) < 2:
        return
    kinds = [KIND_OF.get(group.concept) for group in groups]
    for i, group in enumerate(groups):
        if group.count == 1:
            yield Expression("name", group.concept, group.concept, i)
            if kinds[i] is not None and kinds.count(kinds[i]) == 1:
                yield Expression("kind", kinds[i], kinds[i], i)
            continue
        middles = (picture.boxes[i][:, :2] + picture.boxes[i][:, 2:]) / 2
        for relation, sides in SIDES.items():
            order = np.argsort(middles[:, AXES[relation]])
            along = middles[order, AXES[relation]]
            for side, outer, gap in zip(sides, order[[0, -1]], np.diff(along)[[0, -1]], strict=True):
                if gap > PLAIN:
                    yield Expression("place", (side, group.concept), group.concept, i, int(outer), side)


def _candidates(
    picture: Picture, one: Expression, side: int, rng: np.random.Generator
) -> tuple[Sequence[Sequence[float]], int]:
    """Return all boxes of a picture in random order, in pixels, and the place of the right one."""
    corners = np.concatenate(picture.boxes) * side
    right = sum(len(boxes) for boxes in picture.boxes[: one.group]) + one.member
    order = rng.permutation(len(corners))
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)[order]
    return boxes.round(1).tolist(), int(np.flatnonzero(order == right)[0])
