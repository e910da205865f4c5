"""A scene as symbols: what is in it, and the keys that tell one content from another."""

import itertools
import json
from dataclasses import asdict, dataclass, replace
from typing import Literal

Size = Literal["big", "small"]
RelationKind = Literal["left_right", "above_below"]
AXES = {"left_right": 0, "above_below": 1}


@dataclass(frozen=True)
class Group:
    """Objects of one kind that stand together."""

    concept: str
    count: int
    size: Size | None = None
    style: str = ""


@dataclass(frozen=True)
class Relation:
    """Group ``first`` is left of (above) group ``second``; both index :attr:`Scene.groups`."""

    kind: RelationKind
    first: int
    second: int


@dataclass(frozen=True)
class Scene:
    """What a scene shows. Art styles and background are its look, not its content."""

    groups: tuple[Group, ...]
    relation: Relation | None = None
    background: str = "#ffffff"

    @property
    def content(self) -> str:
        """Canonical key of objects, counts, sizes and relation: two scenes with one key say the same."""
        things = sorted(" ".join(filter(None, (str(g.count), g.size, g.concept))) for g in self.groups)
        if self.relation is not None:
            first, second = (self.groups[i].concept for i in (self.relation.first, self.relation.second))
            things.append(f"{self.relation.kind}: {first} > {second}")
        return " | ".join(things)

    @property
    def gist(self) -> str:
        """Key of objects and counts alone: what every caption of the scene states."""
        return " | ".join(sorted(f"{g.count} {g.concept}" for g in self.groups))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """All pairs of concepts that meet in the scene, each in alphabetical order."""
        return list(itertools.combinations(sorted(g.concept for g in self.groups), 2))

    def meta(self, boxes: list[list[tuple[float, ...]]]) -> str:
        """Return the scene as JSON with each group's boxes (x0, y0, x1, y1 as fractions of the image)."""
        body = {
            "objects": [asdict(group) | {"boxes": own} for group, own in zip(self.groups, boxes, strict=True)],
            "relation": None if self.relation is None else asdict(self.relation),
            "background": self.background,
            "content": self.content,
        }
        return json.dumps(body, separators=(",", ":"))


def scene_from_meta(meta: str) -> Scene:
    """Read a scene back from the JSON of :meth:`Scene.meta` (without the boxes)."""
    body = json.loads(meta)
    groups = tuple(Group(o["concept"], o["count"], o["size"], o["style"]) for o in body["objects"])
    relation = None if body["relation"] is None else Relation(**body["relation"])
    return Scene(groups, relation, body["background"])


def exchange(scene: Scene, what: str) -> Scene | None:
    """Return the scene's twin of the same look, in which two groups have exchanged something, or ``None`` if it has none.

    ``what`` is ``left_right`` or ``above_below`` (the relation's ends), ``count`` or ``size`` (of the first two groups).
    """
    if len(scene.groups) < 2:
        return None
    if what in ("left_right", "above_below"):
        if scene.relation is None or scene.relation.kind != what:
            return None
        return replace(scene, relation=Relation(what, scene.relation.second, scene.relation.first))
    a, b, *rest = scene.groups
    if getattr(a, what) == getattr(b, what):
        return None
    swapped = (replace(a, **{what: getattr(b, what)}), replace(b, **{what: getattr(a, what)}), *rest)
    return replace(scene, groups=swapped)
