"""What can be asked about a scene, each with its right answer: the questions of the data set ``scene_qa``.

    existence       "is there a dog in the picture ?"                  yes, no
    count           "how many dogs are in the picture ?"               1, 2, ...
    what            "what kind of thing is to the left of the dog ?"   animal, food, ...
    relation_two    "what is to the left of the dog ?"                 a concept; two kinds of object are there
    relation_three  the same; three kinds of object are there
    bigger          "which is bigger , the dog or the cat ?"           a concept

Counts are digits and names are singular: answers are in VQA's normal form. What is on a side of a thing stands wholly
there, and more to that side than across; and nothing else is even a little on that side. A thing of a certain kind is asked
for by its place, or where it is alone in the picture. One of the two that are compared is big, the other small.
"""

import itertools
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compactvl.data.captions import WHERE
from compactvl.data.draws import pick
from compactvl.data.inflection import plural
from compactvl.data.scene import AXES
from compactvl.data.scene_splits import a
from compactvl.data.scene_texts import Direction, Picture
from compactvl.data.things import KIND_OF, SYNONYMS

MANY = 3
"""Things of which an honest count may be one off."""
IS_THERE = ("is there {} in the picture ?", "is there {} here ?", "do we see {} ?")
HOW_MANY = ("how many {} are in the picture ?", "how many {} are there ?", "how many {} do we see ?")
ALONE = ("in the picture", "here")


@dataclass(frozen=True)
class Question:
    """Something that can be asked about a picture.

    Attributes:
        type: see the module. cell: what answers are balanced over, within the type. answer: the right one.
        things: the concepts that are named, in that order. direction: where the answer is from there.
        concept: the concept that the answer is, or is the kind of. count: how many there are of it.
    """

    type: str
    cell: Hashable
    answer: str
    things: tuple[str, ...] = ()
    direction: Direction | None = None
    concept: str = ""
    count: int = 1

    def text(self, rng: np.random.Generator) -> str:
        """Return the question in words."""
        if self.type == "existence":
            return pick(IS_THERE, rng).format(a(self.things[0]))
        if self.type == "count":
            return pick(HOW_MANY, rng).format(plural(self.things[0]))
        if self.type == "bigger":
            return "which is bigger , the {} or the {} ?".format(*self.things)
        what = "what kind of thing is" if self.type == "what" else "what is"
        if self.direction is None:
            return f"{what} {pick(ALONE, rng)} ?"
        return f"{what} {pick(WHERE[self.direction], rng)} the {self.things[0]} ?"

    def is_like(self, other: "Question") -> bool:
        """Whether both ask the same of the same things."""
        mine, its = ((one.type, frozenset(one.things), one.direction) for one in (self, other))
        return mine == its

    def honest(self) -> list[str]:
        """Return answers other than the right one that an honest annotator may give."""
        if self.type == "count":
            return [str(self.count - 1), str(self.count + 1)] if self.count >= MANY else []
        if self.type == "what":
            return [self.concept]
        if self.type == "existence":
            return []
        others = [SYNONYMS.get(self.concept), self.count > 1 and plural(self.concept)]
        if self.type != "bigger":
            others.append(KIND_OF.get(self.concept))
        return [other for other in others if other and other != self.answer]

    def wrong(self, present: Sequence[str]) -> list[str]:
        """Return answers that an annotator may give by a slip; ``present`` are the concepts in the picture."""
        if self.type == "existence":
            return ["no" if self.answer == "yes" else "yes"]
        if self.type == "count":
            return [str(self.count + 1)]
        if self.type == "what":
            return [KIND_OF[one] for one in present if KIND_OF.get(one, self.answer) != self.answer]
        if self.type == "bigger":
            return [one for one in self.things if one != self.answer]
        return [one for one in present if one not in (self.answer, *self.things)]


def questions_about(picture: Picture, concepts: Sequence[str]) -> Iterator[Question]:
    """Yield all that can be asked about a picture; ``concepts`` are those of all scenes."""
    groups = picture.scene.groups
    count = {group.concept: group.count for group in groups}
    for concept in concepts:
        answer = "yes" if concept in count else "no"
        yield Question("existence", (concept, answer), answer, (concept,))
    for concept, number in count.items():
        yield Question("count", number, str(number), (concept,), concept=concept, count=number)
    for big in (group for group in groups if group.size == "big"):
        for small in (group for group in groups if group.size == "small"):
            for i, pair in enumerate(((big, small), (small, big))):
                named = tuple(group.concept for group in pair)
                yield Question("bigger", i, big.concept, named, concept=big.concept, count=big.count)
    located: list[tuple[int, tuple[str, ...], Direction | None]] = [
        (answer, (groups[known].concept,), direction) for answer, known, direction in _places(picture)
    ]
    kind = "relation_three" if len(groups) > 2 else "relation_two"
    for answer, known, direction in located:
        concept, number = groups[answer].concept, groups[answer].count
        yield Question(kind, concept, concept, known, direction, concept, number)
    for answer, known, direction in located if len(groups) > 1 else [(0, (), None)]:
        concept, number = groups[answer].concept, groups[answer].count
        if concept in KIND_OF:
            yield Question("what", KIND_OF[concept], KIND_OF[concept], known, direction, concept, number)


def _places(picture: Picture) -> Iterator[tuple[int, int, Direction]]:
    """Yield (answer, known group, direction) of every plain answer to what is on a side of a group; see the module."""
    middles = [(boxes[:, :2] + boxes[:, 2:]).mean(axis=0) / 2 for boxes in picture.boxes]
    for answer, known in itertools.permutations(range(len(middles)), 2):
        apart = abs(middles[answer] - middles[known])
        for direction in WHERE:
            axis = AXES[direction[0]]
            if apart[axis] > apart[1 - axis] and picture.stands(direction, answer, known):
                others = set(range(len(middles))) - {answer, known}
                if not any(picture.leans(direction, other, known) for other in others):
                    yield answer, known, direction
