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
from compactvl.data.captions import SIZE_WORDS, WHERE, Captioner, joined, words
from compactvl.data.curate import Curation
from compactvl.data.draws import pick
from compactvl.data.kinds.scenes import Settings as ScenesSettings
from compactvl.data.kinds.swaps import Settings
from compactvl.data.render import render
from compactvl.data.scene import Relation, Scene, exchange, scene_from_meta
from compactvl.data.scenes import FUTILE_DRAWS, Placed, Sampler, open_kit
from compactvl.errors import UserError
from compactvl.progress import track

EXCHANGED_COUNTS = ((2, 3), (3, 2))
Caption = tuple[str, str]  # words, tags
Pair = tuple[tuple[Placed, Placed], tuple[Caption, Caption]]


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``swaps``. The scenes data set's settings give concepts, styles and image size."""
    base = job.open_set(settings.scenes, "scenes", "scenes")
    look = validate(ScenesSettings, base.manifest["settings"], f"datasets.{base.name}")
    concepts, artwork = open_kit(look, job)
    seen_gists = {scene_from_meta(meta).gist for meta in base.images[base.images["split"] != "test"]["meta"]}
    rng = np.random.default_rng([settings.seed, 7])
    sampler, captioner = Sampler(look, list(concepts), rng), Captioner(concepts, rng)
    items: list[dict[str, str]] = []
    images: dict[str, Placed] = {}
    used: set[str] = set()
    for number, kind in enumerate(settings.kinds):
        share = settings.pairs // len(settings.kinds) + (number < settings.pairs % len(settings.kinds))
        for i, (scenes, captions) in enumerate(_draw_pairs(sampler, captioner, kind, share, seen_gists, used)):
            item_id = f"{kind}-{i:04d}"
            ids = [f"{item_id}-{side}" for side in (0, 1)]
            images |= zip(ids, scenes, strict=True)
            (caption_0, pos_0), (caption_1, pos_1) = captions
            items.append(
                {
                    "item_id": item_id, "split": "test", "image_0": ids[0], "image_1": ids[1],
                    "caption_0": caption_0, "caption_1": caption_1, "pos_0": pos_0, "pos_1": pos_1, "kind": kind,
                }
            )  # fmt: skip

    def rows() -> Iterator[ImageRow]:
        for image_id, placed in track(images.items(), unit="image", label=f"render {job.name}"):
            data, meta = render(placed.scene, placed.cells, artwork, concepts, look.image_size)
            yield ImageRow(image_id, data, "test", meta)

    kinds = dict(Counter(item["kind"] for item in items))
    job.write(settings, pd.DataFrame(items), rows(), kinds=kinds, scenes_settings=look.model_dump(mode="json"))


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
        captions = _captions(captioner, scene, other, kind, sampler.rng)
        if Counter(captions[0][0].split()) != Counter(captions[1][0].split()):
            continue
        used |= {scene.content, other.content}
        pairs.append(((Placed(scene, cells[0]), Placed(other, cells[1])), captions))
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
        counts = pick(EXCHANGED_COUNTS, rng)
        return replace(scene, groups=(replace(a, count=counts[0]), replace(b, count=counts[1])), relation=None)
    return replace(scene, groups=(a, b), relation=Relation(kind, 0, 1))


def _captions(
    captioner: Captioner, scene: Scene, other: Scene, kind: str, rng: np.random.Generator
) -> tuple[Caption, Caption]:
    """Return both scenes' captions: one template, the nouns' order kept or exchanged."""
    sizes = {size: pick(options, rng) for size, options in SIZE_WORDS.items()}
    where = pick(WHERE[kind, True], rng) if kind in ("left_right", "above_below") else "and"

    def caption(one: Scene) -> Caption:
        order = (0, 1) if one.relation is None else (one.relation.first, one.relation.second)
        groups = [one.groups[i] for i in order]
        counts = ["a" if group.count == 1 else None for group in groups]
        first, second = (
            captioner.noun_phrase(group, True, count=count, size=sizes.get(group.size))
            for group, count in zip(groups, counts, strict=True)
        )
        return joined(first + words(where) + second)

    return caption(scene), caption(other)
