"""The data set ``scenes``: composed scenes of emoji artwork, split by what they show.

Splits are drawn test, validation, training. A *gist* (objects and counts) belongs to one split, so no caption of a test
scene can be a training caption; some pairs of concepts never meet in training. In a gallery every gist occurs once,
except in twins: two scenes of the same words with relation, counts or sizes exchanged. All captions of a twin state
what tells it from the other, so that a caption is right for one image only.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.data.artwork import Artwork
from compactvl.data.canonical import ImageRow
from compactvl.data.captions import Captioner
from compactvl.data.concepts import Concept, list_concepts
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, pick
from compactvl.data.emoji import read_emoji
from compactvl.data.kinds.scenes import Settings
from compactvl.data.placement import SIDE, Cell, place
from compactvl.data.render import draw_background, render
from compactvl.data.scene import AXES, Group, Relation, Scene, exchange
from compactvl.errors import UserError
from compactvl.progress import track

DRAWING_ORDER = ("test", "val", "train")
TWIN_KINDS = ("left_right", "above_below", "count", "size")
FUTILE_DRAWS = 20_000
FULL = 0.62  # largest share of the image that cells may cover


def open_kit(settings: Settings, job: Curation) -> tuple[dict[str, Concept], dict[str, Artwork]]:
    """Return what scenes are made of, from the job's archives: concepts by name and artwork by style."""
    artwork = {style: Artwork(style, job.archive(style)) for style in settings.styles}
    concepts = list_concepts(read_emoji(job.archive(settings.names)), list(artwork.values()))
    if settings.concepts > len(concepts):
        raise UserError(
            f"{job.place}.concepts: {settings.concepts} asked for, {len(concepts)} nouns have a drawing in every style; "
            "ask for fewer"
        )
    return {concept.name: concept for concept in concepts[: settings.concepts]}, artwork


@dataclass(frozen=True)
class Placed:
    """A scene with its layout; ``twin`` is what is exchanged between it and its twin."""

    scene: Scene
    cells: list[list[Cell]]
    twin: str | None = None

    @property
    def tell(self) -> str | None:
        """What all its captions must state, so that they are not true of its twin (see :class:`Captioner`)."""
        return {None: None, "count": None, "size": "size"}.get(self.twin, "relation")


class Sampler:
    """Draws scenes of the named concepts."""

    def __init__(self, settings: Settings, names: list[str], rng: np.random.Generator) -> None:
        self.settings, self.names, self.rng = settings, names, rng
        weights = np.asarray(settings.kinds_weights, dtype=float)
        self._cumulative = np.cumsum(weights / weights.sum())
        most = settings.max_objects
        self._counts = {  # of one, two and three groups: 1-4 objects each
            kinds: [counts for counts in itertools.product(range(1, 5), repeat=kinds) if sum(counts) <= most]
            for kinds in (1, 2, 3)
        }

    def draw(self) -> Scene:
        """Return one random scene; it may be too full to place."""
        rng, settings = self.rng, self.settings
        drawn = int(np.searchsorted(self._cumulative, rng.random(), side="right")) + 1
        kinds = min(drawn, 3, settings.max_objects)
        chosen = rng.permutation(len(self.names))[:kinds]
        counts = pick(self._counts[kinds], rng)
        sized = rng.random() < settings.sized
        sizes = [pick(("big", "small"), rng) if sized else None for _ in range(kinds)]
        if sized and kinds > 1 and len(set(sizes)) == 1:
            sizes[rng.integers(kinds)] = "small" if sizes[0] == "big" else "big"
        styles = [pick(settings.styles, rng) for _ in range(kinds)]
        groups = tuple(map(Group, (self.names[i] for i in chosen), counts, sizes, styles))
        relation = None
        if kinds > 1 and rng.random() < settings.related:
            relation = Relation(pick(list(AXES), rng), 0, 1)
        return Scene(groups, relation, draw_background(settings.tinted, rng))

    def place(self, scene: Scene) -> list[list[Cell]] | None:
        """Return a layout, or ``None`` if the scene is too full."""
        if sum(group.count * SIDE[group.size] ** 2 for group in scene.groups) > FULL:
            return None
        return place(scene, self.settings.image_size, self.rng)


def draw_splits(settings: Settings, names: list[str]) -> tuple[dict[str, list[Placed]], set[tuple[str, str]]]:
    """Draw all scenes.

    Returns:
        Split → its scenes in random order, and the pairs of concepts, in alphabetical order, that never meet in training.

    Raises:
        UserError: the settings do not allow so many different scenes.
    """
    pairs = list(itertools.combinations(sorted(names), 2))
    order = np.random.default_rng([settings.seed, 99]).permutation(len(pairs))
    held_out = {pairs[i] for i in order[: round(settings.held_out_pairs * len(pairs))]}
    taken: dict[str, str] = {}
    splits = {}
    for number, split in enumerate(DRAWING_ORDER):
        sampler = Sampler(settings, names, np.random.default_rng([settings.seed, number]))
        scenes = _draw_split(sampler, split, getattr(settings.images, split), taken, held_out)
        splits[split] = [scenes[i] for i in sampler.rng.permutation(len(scenes))]
    return splits, held_out


def _draw_split(sampler: Sampler, split: str, number: int, taken: dict[str, str], held_out: set) -> list[Placed]:
    """Draw one split's scenes; ``taken`` maps gists to their split and is added to."""
    twins_wanted = 2 * round(number * sampler.settings.twin_fraction / 2)
    scenes: list[Placed] = []
    contents: set[str] = set()
    futile = 0
    while len(scenes) < number:
        futile += 1
        if futile > FUTILE_DRAWS:
            raise UserError(
                f"scenes: only {len(scenes)} of {number} different {split} scenes found with {len(sampler.names)} "
                "concepts; ask for fewer images, more concepts or less twin_fraction"
            )
        scene, twin = sampler.draw(), None
        members = [scene]
        if len(scenes) < twins_wanted:
            twin = TWIN_KINDS[len(scenes) // 2 % len(TWIN_KINDS)]
            other = exchange(scene, twin)
            if other is None or other.content == scene.content:
                continue
            members.append(other)
        if not all(_new(member, split, taken, contents, held_out) for member in members):
            continue
        cells = [sampler.place(member) for member in members]
        if None in cells:
            continue
        for member in members:
            taken[member.gist] = split
            contents.add(member.content)
        scenes += [Placed(member, own, twin) for member, own in zip(members, cells, strict=True)]
        futile = 0
    return scenes


def _new(scene: Scene, split: str, taken: Mapping[str, str], contents: set[str], held_out: set) -> bool:
    owner = taken.get(scene.gist)
    if split == "train":
        return owner in (None, "train") and scene.content not in contents and held_out.isdisjoint(scene.pairs)
    return owner is None


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scenes``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    concepts, artwork = open_kit(settings, job)
    splits, held_out = draw_splits(settings, list(concepts))
    captioner = Captioner(concepts, np.random.default_rng([settings.seed, 100]))
    scenes = [(f"{split}-{i:05d}", split, placed) for split in SPLITS for i, placed in enumerate(splits[split])]
    items = [
        {
            "item_id": f"{image_id}-{k}",
            "image_id": image_id,
            "split": split,
            "caption": caption.text,
            "pos": caption.tags,
            "exchanged": caption.exchanged,
        }
        for image_id, split, placed in scenes
        for k, caption in enumerate(captioner.captions(placed.scene, settings.captions, tell=placed.tell))
    ]

    def rows() -> Iterator[ImageRow]:
        for image_id, split, placed in track(scenes, unit="scene", label=f"render {job.name}"):
            data, meta = render(placed.scene, placed.cells, artwork, concepts, settings.image_size)
            yield ImageRow(image_id, data, split, meta)

    job.write(
        settings,
        pd.DataFrame(items),
        rows(),
        concepts=list(concepts),
        held_out_pairs=sorted(" + ".join(pair) for pair in held_out),
        twins={split: sum(placed.twin is not None for placed in splits[split]) for split in SPLITS},
    )
    job.audit()
