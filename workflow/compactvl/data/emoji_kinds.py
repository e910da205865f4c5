"""The data set ``emoji_kinds``: what kind of thing a single emoji is, for emoji never seen in training.

    group      "what kind of thing is this ?"             Unicode's group, e.g. animals-nature
    subgroup   "what kind of thing is this exactly ?"     its subgroup, e.g. animal-bird; large ones only

Each emoji is drawn once, in one art style. Flags, symbols and people's skin tones are left out.

Items: item_id, image_id, split, question, answer, type, style.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pandas as pd

from compactvl.data.artwork import Artwork
from compactvl.data.blind import blind_scores
from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split, majority, pick
from compactvl.data.emoji import read_emoji
from compactvl.data.kinds.emoji_kinds import Settings
from compactvl.data.placement import MARGIN
from compactvl.data.render import draw_background, render
from compactvl.data.scene import Group, Scene
from compactvl.progress import track

GROUPS = (
    "smileys-emotion", "people-body", "animals-nature", "food-drink", "travel-places", "activities", "objects", "symbols",
)  # fmt: skip
GROUP = ("what kind of thing is this ?", "what kind of thing do we see ?")
SUBGROUP = ("what kind of thing is this exactly ?", "which smaller kind of thing is this ?")
SIDES, TINTED = (0.41, 0.6, 0.8), 0.5


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``emoji_kinds``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    artwork = {style: Artwork(style, job.archive(style)) for style in settings.styles}
    every = [one for one in read_emoji(job.archive(settings.names)) if one.group in GROUPS]
    known = [one for one in every if all(one.code in style for style in artwork.values())]
    rng = np.random.default_rng([settings.seed, 33])
    known = [known[i] for i in sorted(rng.permutation(len(known))[: settings.max_emoji])]
    sizes = Counter(one.subgroup for one in known)
    asked = {name for name in sizes if sizes[name] >= settings.least}
    plan = sorted(
        ((settings.splits.split_of(one.code, settings.seed), one) for one in known),
        key=lambda row: SPLITS.index(row[0]),
    )
    styles = [pick(settings.styles, rng) for _ in plan]
    items = [
        {
            "item_id": f"{split}-{one.code}-{kind}", "image_id": f"{split}-{one.code}", "split": split,
            "question": pick(forms, rng), "answer": answer, "type": kind, "style": style,
        }
        for (split, one), style in zip(plan, styles, strict=True)
        for kind, forms, answer in (("group", GROUP, one.group), ("subgroup", SUBGROUP, one.subgroup))
        if kind == "group" or answer in asked
    ]  # fmt: skip

    def rows() -> Iterator[ImageRow]:
        for (split, one), style in track(
            list(zip(plan, styles, strict=True)), unit="image", label=f"render {job.name}"
        ):
            scene = Scene((Group(one.label, 1, None, style),), None, draw_background(TINTED, rng))
            side = round(pick(SIDES, rng) * settings.image_size)
            x, y = (MARGIN + int(v) for v in rng.integers(settings.image_size - side - 2 * MARGIN + 1, size=2))
            data, meta = render(scene, [[(x, y, side)]], artwork, {one.label: one}, settings.image_size)
            yield ImageRow(f"{split}-{one.code}", data, split, meta)

    table = pd.DataFrame(items)
    job.write(
        settings,
        table,
        rows(),
        answers=[*GROUPS, *sorted(asked)],
        types=by_split(table, "type", len),
        majority=majority(table),
        blind=blind_scores(table, "question", "answer"),
    )
    job.audit(compare=("image",))
