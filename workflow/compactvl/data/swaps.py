"""The data set ``swaps``: Winoground's form. Two scenes, two captions of exactly the same words.

Two kinds of object; one thing is exchanged between them: who is left, who is above, the counts, or the sizes. Both
scenes of a pair have the same look (art styles, background), so nothing but the exchange tells them apart. No scene
of a pair has the objects and counts of a training or validation scene of the set it is built on.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from compactvl.config.base import validate
from compactvl.data.canonical import ImageRow
from compactvl.data.captions import SIZE_WORDS, WHERE, Captioner, words
from compactvl.data.curate import Curation
from compactvl.data.kinds.scenes import Settings as ScenesSettings
from compactvl.data.kinds.swaps import Settings
from compactvl.data.render import render
from compactvl.data.scene import Relation, Scene, exchange, scene_from_meta
from compactvl.data.scenes import FUTILE_DRAWS, Placed, Sampler, open_kit
from compactvl.errors import UserError
from compactvl.progress import track

EXCHANGED_COUNTS = ((2, 3), (3, 2))
Pair = tuple[Placed, Placed, str, str, str, str]


def curate_swaps(settings: Settings, job: Curation) -> None:
    """Make the data set ``swaps``. The scenes data set's settings give concepts, styles and image size.

    Raises:
        UserError: it names no scenes set, or too few pairs can be found.
    """
    base = job.open_set(settings.scenes, "scenes", "scenes")
    look = validate(ScenesSettings, base.manifest["settings"], f"datasets.{base.name}")
    kit = open_kit(look, job)
    seen = base.images[base.images["split"] != "test"]["meta"]
    seen_gists = {scene_from_meta(meta).gist for meta in seen}
    rng = np.random.default_rng([settings.seed, 7])
    sampler = Sampler(look, list(kit.concepts), rng)
    captioner = Captioner(kit.concepts, rng)
    pairs: list[tuple[str, str, Pair]] = []
    used: set[str] = set()
    for number, kind in enumerate(settings.kinds):
        share = settings.pairs // len(settings.kinds) + (number < settings.pairs % len(settings.kinds))
        found = _draw_pairs(sampler, captioner, kind, share, seen_gists, used)
        pairs += [(f"{kind}-{i:04d}", kind, pair) for i, pair in enumerate(found)]
    items = [_item(item_id, kind, pair) for item_id, kind, pair in pairs]

    def rows() -> Iterator[ImageRow]:
        for item_id, _, pair in track(pairs, unit="pair", label=f"render {job.name}", total=len(pairs)):
            for side, placed in enumerate(pair[:2]):
                data, boxes = render(placed.scene, placed.cells, kit.artwork, kit.codes, look.image_size)
                yield ImageRow(f"{item_id}-{side}", data, "test", placed.scene.meta(boxes))

    kinds = dict(Counter(kind for _, kind, _ in pairs))
    job.write(settings, pd.DataFrame(items), rows(), kinds=kinds, scenes_settings=look.model_dump(mode="json"))


def _item(item_id: str, kind: str, pair: Pair) -> dict[str, str]:
    _, _, caption_0, pos_0, caption_1, pos_1 = pair
    return {
        "item_id": item_id,
        "split": "test",
        "image_0": f"{item_id}-0",
        "image_1": f"{item_id}-1",
        "caption_0": caption_0,
        "caption_1": caption_1,
        "pos_0": pos_0,
        "pos_1": pos_1,
        "kind": kind,
    }


def _draw_pairs(
    sampler: Sampler, captioner: Captioner, kind: str, number: int, seen_gists: set[str], used: set[str]
) -> list[Pair]:
    """Draw ``number`` pairs of one kind; ``used`` holds the contents of earlier pairs and is added to."""
    pairs: list[Pair] = []
    futile = 0
    while len(pairs) < number:
        futile += 1
        if futile > FUTILE_DRAWS:
            raise UserError(f"swaps: only {len(pairs)} of {number} pairs of kind {kind} found; ask for fewer pairs")
        scene = _fit(sampler.draw(), kind, sampler.rng)
        other = scene and exchange(scene, kind)
        if other is None or {scene.gist, other.gist} & seen_gists or {scene.content, other.content} & used:
            continue
        cells = [sampler.place(one) for one in (scene, other)]
        if None in cells:
            continue
        caption_0, caption_1 = _captions(captioner, scene, other, kind, sampler.rng)
        if Counter(caption_0[0].split()) != Counter(caption_1[0].split()):
            continue
        used |= {scene.content, other.content}
        pairs.append((Placed(scene, cells[0]), Placed(other, cells[1]), *caption_0, *caption_1))
        futile = 0
    return pairs


def _fit(scene: Scene, kind: str, rng: np.random.Generator) -> Scene | None:
    """Return a scene of two kinds of object that a pair of this kind can be made from, or ``None``."""
    if len(scene.groups) < 2:
        return None
    a, b = scene.groups[:2]
    if kind == "size":
        a, b = replace(a, size="big", count=min(a.count, 2)), replace(b, size="small", count=min(b.count, 2))
        return replace(scene, groups=(a, b), relation=None)
    a, b = replace(a, size=None), replace(b, size=None)
    if kind == "count":
        counts = EXCHANGED_COUNTS[rng.integers(2)]
        return replace(scene, groups=(replace(a, count=counts[0]), replace(b, count=counts[1])), relation=None)
    return replace(scene, groups=(a, b), relation=Relation(kind, 0, 1))


def _captions(captioner: Captioner, scene: Scene, other: Scene, kind: str, rng: np.random.Generator):
    """Return (caption, tags) of both scenes: one template, the nouns' order kept or exchanged."""
    sizes = {size: options[rng.integers(len(options))] for size, options in SIZE_WORDS.items()}
    where = WHERE[kind, True][rng.integers(3)] if kind in ("left_right", "above_below") else "and"

    def caption(one: Scene) -> tuple[str, str]:
        order = (0, 1) if one.relation is None else (one.relation.first, one.relation.second)
        first, second = (
            captioner.noun_phrase(
                one.groups[i], True, count="a" if one.groups[i].count == 1 else None, size=sizes.get(one.groups[i].size)
            )
            for i in order
        )
        phrase = first + words(where) + second
        return " ".join(word for word, _ in phrase), " ".join(tag for _, tag in phrase)

    return caption(scene), caption(other)
