"""The data set ``scene_vqa``: questions about scenes, each with its answer and seven distractors of the same type.

    object   "what is to the left of the dogs ?"  "what is in the picture with the dog ?"  "what is in the picture ?"
    count    "how many dogs are in the picture ?"

Distractors of an object are the scene's other objects, then objects that are not there, all in the answer's number;
distractors of a count are the other words from one to eight. What is asked has one answer: of a relation's ends no
third group is even a little on the side that is asked for.
"""

import json
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from compactvl.data.captions import NUMBERS, WHERE
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.draws import HELD_OUT, draw_evenly, enough, majority, pick, share
from compactvl.data.kinds.scene_vqa import Settings
from compactvl.data.scene_texts import Direction, Picture, read_pictures
from compactvl.errors import UserError

DISTRACTORS = 7
COUNTS = (*NUMBERS.values(), "seven", "eight")
HOW_MANY = ("how many {} are in the picture ?", "how many {} are there ?", "how many {} do we see ?")
WITH = ("what {} in the picture with the {} ?", "what {} together with the {} ?")
ALONE = ("what {} in the picture ?", "what {} here ?")
Asked = tuple[Picture, int, int | None, Direction | None]
"""A picture, the groups that are the answer and what is known, and where the answer is from there."""


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_vqa``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures, concepts = read_pictures(settings, job)
    if len(concepts) <= DISTRACTORS:
        raise UserError(f"{job.place}: {base.name!r} has {len(concepts)} concepts; {DISTRACTORS + 1} are needed")
    asker = _Asker(concepts, np.random.default_rng([settings.seed, 12]))
    items: list[dict[str, str]] = []
    for split in HELD_OUT:
        number = getattr(settings.questions, split)
        for kind, ask, half in (("object", asker.objects, (number + 1) // 2), ("count", asker.counts, number // 2)):
            place = f"{job.place}.questions.{split}"
            rows = enough(ask(pictures[split], half), half, f"{split} questions for {kind}s", place)
            items += [{"item_id": f"{split}-{kind}-{i:04d}", "split": split, **row} for i, row in enumerate(rows)]
    table = pd.DataFrame(items)
    types = dict(Counter(table["type"]))
    job.write(settings, table, text_only=True, images_of=base.name, types=types, majority=majority(table))


class _Asker:
    """Asks questions about pictures."""

    def __init__(self, concepts: Mapping[str, Concept], rng: np.random.Generator) -> None:
        self._concepts, self._rng = concepts, rng

    def counts(self, pictures: list[Picture], number: int) -> list[dict[str, str]]:
        """Return up to ``number`` questions for counts, one a picture."""
        asked = [(picture, group) for picture in pictures for group in picture.scene.groups]
        rows = []
        for picture, group in draw_evenly(asked, number, key=lambda one: one[1].count, once=_image, rng=self._rng):
            question = pick(HOW_MANY, self._rng).format(self._concepts[group.concept].plural)
            wrong = [word for word in COUNTS if word != NUMBERS[group.count]]
            rows.append(self._row(picture, question, NUMBERS[group.count], wrong, "count"))
        return rows

    def objects(self, pictures: list[Picture], number: int) -> list[dict[str, str]]:
        """Return up to ``number`` questions for objects: a third each of relations among three and two kinds, and of
        what else is there; of each at most one a picture.
        """
        parts: dict[str, list[Asked]] = {"three": [], "two": [], "other": []}
        for picture in pictures:
            kinds = len(picture.scene.groups)
            if kinds == 1:
                parts["other"].append((picture, 0, None, None))
            elif kinds == 2:
                parts["other"] += [(picture, 0, 1, None), (picture, 1, 0, None)]
            parts["three" if kinds == 3 else "two"] += [(picture, *rest) for rest in _relations(picture)]
        drawn = [draw_evenly(part, number, key=_concept, once=_image, rng=self._rng) for part in parts.values()]
        return [self._object(*one) for one in share(drawn, number)]

    def _object(self, picture: Picture, answer: int, known: int | None, direction: Direction | None) -> dict[str, str]:
        groups = picture.scene.groups
        single = groups[answer].count == 1
        be = "is" if single else "are"
        there = "" if known is None else self._concepts[groups[known].concept].form(groups[known].count == 1)
        if direction is not None:
            question = f"what {be} {pick(WHERE[direction], self._rng)} the {there} ?"
        else:
            question = pick(ALONE if known is None else WITH, self._rng).format(be, there)
        present = [group.concept for group in groups]
        absent = [concept for concept in self._concepts if concept not in present]
        wrong = [concept for i, concept in enumerate(present) if i != answer]
        wrong += [absent[i] for i in self._rng.permutation(len(absent))[: DISTRACTORS - len(wrong)]]
        right, *nouns = (self._concepts[concept].form(single) for concept in (present[answer], *wrong))
        return self._row(picture, question, right, nouns, "object")

    def _row(self, picture: Picture, question: str, answer: str, wrong: list[str], kind: str) -> dict[str, str]:
        others = json.dumps([wrong[i] for i in self._rng.permutation(len(wrong))])
        return {
            "image_id": picture.image_id,
            "question": question,
            "answer": answer,
            "distractors": others,
            "type": kind,
        }


def _relations(picture: Picture) -> list[tuple[int, int, Direction]]:
    """Return (answer, known group, direction) of what can be asked about the picture's stated relation."""
    relation = picture.scene.relation
    if relation is None:
        return []
    found = []
    for answer, known, forward in ((relation.first, relation.second, True), (relation.second, relation.first, False)):
        direction = (relation.kind, forward)
        others = set(range(len(picture.scene.groups))) - {answer, known}
        if not any(picture.leans(direction, other, known) for other in others):
            found.append((answer, known, direction))
    return found


def _image(candidate: tuple) -> str:
    return candidate[0].image_id


def _concept(candidate: Asked) -> str:
    return candidate[0].scene.groups[candidate[1]].concept
