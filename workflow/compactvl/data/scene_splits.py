"""The pictures of all splits, training too, that tasks with training items are made of."""

import json

import numpy as np
import pandas as pd

from compactvl.data.blind import blind_scores
from compactvl.data.canonical import CanonicalSet
from compactvl.data.captions import NUMBERS
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split, majority
from compactvl.data.inflection import article, plural
from compactvl.data.scene import scene_from_meta
from compactvl.data.scene_task import SceneTask
from compactvl.data.scene_texts import Picture


def read_splits(settings: SceneTask, job: Curation) -> tuple[CanonicalSet, dict[str, list[Picture]]]:
    """Return the scenes data set that a task is made of, and its pictures by split, in stored order.

    Raises:
        UserError: the setting ``scenes`` names no scenes set.
    """
    base = job.open_set(settings.scenes, "scenes", "scenes")
    pictures: dict[str, list[Picture]] = {split: [] for split in SPLITS}
    for row in base.images.itertuples():
        boxes = tuple(np.asarray(thing["boxes"]) for thing in json.loads(row.meta)["objects"])
        pictures[row.split].append(Picture(row.image_id, row.split, scene_from_meta(row.meta), boxes))
    return base, pictures


def write_answered(
    settings: SceneTask,
    job: Curation,
    base: CanonicalSet,
    items: pd.DataFrame,
    text: str,
    answer: str,
    answers: list[str],
) -> None:
    """Write a task with answers, and with what the answers' frequencies and the texts alone give.

    Args:
        base: the scenes. text, answer: columns of ``items``. answers: what logits are over.
    """
    job.write(
        settings,
        items,
        text_only=True,
        images_of=base.name,
        answers=answers,
        types=by_split(items, "type", len),
        majority=majority(items.assign(answer=items[answer])),
        blind=blind_scores(items, text, answer),
    )


def tally(picture: Picture) -> dict[str, int]:
    """Return how many there are of each concept that is in the picture."""
    return {group.concept: group.count for group in picture.scene.groups}


def a(concept: str) -> str:
    """Return a concept with its article.

    >>> a("umbrella")
    'an umbrella'
    """
    return f"{article(concept)} {concept}"


def numbered(number: int, concept: str) -> str:
    """Return a number of things in words.

    >>> numbered(1, "leaf"), numbered(2, "leaf")
    ('one leaf', 'two leaves')
    """
    return f"{NUMBERS[number]} {concept if number == 1 else plural(concept)}"
