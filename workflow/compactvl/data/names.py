"""The data set ``names``: single emoji against their names and tags, tested in an art style never trained on.

Every concept is drawn in every style. Training: all styles but ``test_style``, several renderings each. Test: one image
a concept in ``test_style``. Validation: the images of a part of the concepts in ``val_style``, taken out of training;
these concepts are still trained on in the remaining styles.

Items: one with the English name, and one for each of up to ``tags`` keywords that belong to this concept alone (a
keyword of several concepts would be right for several images). ``source`` is ``name`` or ``tag``; the columns
``caption_<language>`` hold the name in other languages and are empty for tags. ``pos`` is ``NOUN`` for single-word
names and empty where unknown.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from compactvl.data.artwork import Artwork
from compactvl.data.canonical import ImageRow
from compactvl.data.concepts import list_concepts
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, pick
from compactvl.data.emoji import Emoji, read_emoji, read_labels
from compactvl.data.kinds.names import Settings
from compactvl.data.placement import MARGIN
from compactvl.data.render import draw_background, render
from compactvl.data.scene import Group, Scene
from compactvl.errors import UserError
from compactvl.progress import track

GROUPS = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
NAME = re.compile(r"[a-z]+([ -][a-z]+){0,2}")
KEYWORD = re.compile(r"[a-z]{3,}([ -][a-z]+){0,2}")
SAME_DRAWING = re.compile(
    r"-thirty$|^(waxing|waning|first quarter|last quarter|new moon|full moon)|^oncoming |^front-facing "
)
SIDES = (0.285, 0.41, 0.6, 0.8)  # of the image; the first two are a scene's sizes


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``names``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    artwork = {style: Artwork(style, job.archive(style)) for style in settings.styles}
    names = job.archive(settings.names)
    emoji = read_emoji(names)
    chosen = _choose(emoji, artwork, settings.concepts)
    labels = {language: read_labels(names, language) for language in settings.languages}
    owners = Counter(word for one in chosen for word in {*one.tags, one.label})
    own = {one.code: [tag for tag in one.tags if owners[tag] == 1 and tag != one.label and KEYWORD.fullmatch(tag)]
           for one in chosen}  # fmt: skip
    rng = np.random.default_rng([settings.seed, 11])
    for_validation = set(rng.permutation(len(chosen))[: round(settings.val_fraction * len(chosen))].tolist())
    plan = _plan(settings, chosen, for_validation)
    items = [item for row in plan for item in _items(*row, own[row[-1].code][: settings.tags], labels)]

    def rows() -> Iterator[ImageRow]:
        for image_id, split, style, one in track(plan, unit="image", label=f"render {job.name}"):
            scene = Scene((Group(one.label, 1, None, style),), None, draw_background(settings.tinted, rng))
            side = round(pick(SIDES, rng) * settings.image_size)
            x, y = (MARGIN + int(v) for v in rng.integers(settings.image_size - side - 2 * MARGIN + 1, size=2))
            data, meta = render(scene, [[(x, y, side)]], artwork, {one.label: one}, settings.image_size)
            yield ImageRow(image_id, data, split, meta)

    job.write(settings, pd.DataFrame(items), rows(), concepts=[one.label for one in chosen])
    job.audit(compare=("image",))


def _choose(emoji: list[Emoji], artwork: Mapping[str, Artwork], number: int) -> list[Emoji]:
    """Return the emoji of the scenes' concepts first, under their everyday names, then others with a plain name."""
    concepts = list_concepts(emoji, list(artwork.values()))
    of_scenes = {concept.code for concept in concepts}
    plain = [
        one
        for one in emoji
        if one.group in GROUPS
        and (NAME.fullmatch(one.label) or one.code in of_scenes)
        and not SAME_DRAWING.search(one.label)
        and all(one.code in style for style in artwork.values())
    ]
    ordered = sorted(plain, key=lambda one: one.code not in of_scenes)
    if len(ordered) < number:
        raise UserError(
            f"names: {number} concepts asked for, {len(ordered)} emoji are drawn in every style; ask for fewer"
        )
    everyday = {concept.code: concept.name for concept in concepts}
    return [replace(one, label=everyday.get(one.code, one.label)) for one in ordered[:number]]


def _plan(settings: Settings, chosen: list[Emoji], for_validation: set[int]) -> list[tuple[str, str, str, Emoji]]:
    """Return all images to draw as (image_id, split, style, emoji), in storage order."""
    plan = []
    for number, one in enumerate(chosen):
        for style in settings.styles:
            if style == settings.test_style:
                split = "test"
            elif style == settings.val_style and number in for_validation:
                split = "val"
            else:
                split = "train"
            renders = settings.renders if split == "train" else 1
            plan += [(f"{split}-{one.code}-{style}-{k}", split, style, one) for k in range(renders)]
    return sorted(plan, key=lambda row: SPLITS.index(row[1]))


def _items(
    image_id: str, split: str, style: str, one: Emoji, tags: list[str], labels: Mapping[str, Mapping[str, str]]
) -> list[dict[str, str]]:
    """Return the items of an image: the emoji's name, then its tags."""
    return [
        {
            "item_id": f"{image_id}-{k}", "image_id": image_id, "split": split, "caption": caption,
            "pos": "NOUN" if k == 0 and caption.isalpha() else "", "source": "tag" if k else "name",
            "concept": one.label, "style": style,
            **{f"caption_{language}": "" if k else own.get(one.code, "") for language, own in labels.items()},
        }
        for k, caption in enumerate([one.label, *tags])
    ]  # fmt: skip
