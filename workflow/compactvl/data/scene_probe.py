"""The data set ``scene_probe``: captions broken off where the image is necessary, useful or irrelevant for what follows.

Each item has four options: how the caption goes on, and three distractors. What the text alone can tell is the
condition, so its chance is 1/4, 1/2 and 1:

    necessary    the grammar allows all four; only the picture tells which is right.
        noun          "a picture of two"          dogs | cats, pigs, cows
        number        "we see"                    two | one, three, four
        place         "a dog is"                  above | below, left, right
    useful       the grammar allows two of the four, the picture tells which of them.
        noun_form     "a picture of two"          dogs | cats | dog, cat
        article_noun  "there is an"               owl | apple | dog, cat
        plural_count  "here are"                  two | three | one, a single
        side          "a dog on the"              left | right | top, bottom
    irrelevant   the grammar allows one of the four, whatever the picture shows.
        function      "a pair"                    of | the, and, is
        other_side    "a dog on the left and a cat on the"    right | left, top, bottom
        agreement     "two dogs"                  are | is, of, the

Prompts begin captions of held-out scenes as the scenes set has them. A distractor that the grammar allows is false of
the picture: its object is not there, no group still to be named has its count, no group stands on its side.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from compactvl.data.captions import NUMBERS, SIZE_WORDS, WHERE
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.draws import HELD_OUT, T, by_split, draw_evenly, enough, majority, share
from compactvl.data.inflection import article
from compactvl.data.kinds.scene_probe import Settings
from compactvl.data.scene import Group
from compactvl.data.scene_texts import Direction, Picture, read_pictures

TYPES = {
    "necessary": ("noun", "number", "place"),
    "useful": ("noun_form", "article_noun", "plural_count", "side"),
    "irrelevant": ("function", "other_side", "agreement"),
}
CONDITIONS = {kind: condition for condition, kinds in TYPES.items() for kind in kinds}
COUNT_WORDS = tuple(NUMBERS[count] for count in (1, 2, 3, 4))  # scenes have no larger group
ADJECTIVES = frozenset(word for pair in SIZE_WORDS.values() for word in pair)
PLACE_WORDS = {direction: tuple(wording.split()[0] for wording in WHERE[direction] if wording[:3] not in ("to ", "on "))
               for direction in WHERE}  # fmt: skip
SIDE_WORDS: dict[str, Direction] = {
    "left": ("left_right", True), "right": ("left_right", False),
    "top": ("above_below", True), "bottom": ("above_below", False),
}  # fmt: skip
# Last words of a prompt that leave one way to go on; "*" is a place that may follow a noun phrase at once.
DETERMINED = {
    "a pair": "of", "together": "with", "to": "the", "on": "the", "at": "the", "in": "the", "in the": "picture",
    "to the left": "of", "to the right": "of", "* left": "of", "* right": "of", "higher": "than", "lower": "than",
    "a picture": "of", "an image": "with", "this": "picture", "this picture": "shows", "we": "see",
}  # fmt: skip
FREQUENT = ("the", "of", "and", "a", "with", "is", "two", "on")
NEVER_AFTER_NOUN = ("of", "the", "a", "than", "we")
Found = tuple[str, int, str, list[str]]
"""Type of an item, the word that a caption is broken off before, what follows there, and the distractors."""


@dataclass(frozen=True)
class Mention:
    """A noun of a caption: its words ``start:end`` and the group of the scene it names."""

    start: int
    end: int
    group: int


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_probe``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures, concepts = read_pictures(settings, job)
    rng = np.random.default_rng([settings.seed, 13])
    breaker = _Breaker(concepts, base.manifest["settings"]["max_objects"], rng)
    items: list[dict[str, str]] = []
    for split in HELD_OUT:
        number, place = getattr(settings.items, split), f"{job.place}.items.{split}"
        found = breaker.break_all(pictures[split], base.split(split))
        for condition, kinds in TYPES.items():
            drawn = [
                draw_evenly(
                    found[kind], number, key=lambda one: one["answer"], once=lambda one: one["image_id"], rng=rng
                )
                for kind in kinds
            ]
            rows = enough(share(drawn, number), number, f"{split} items of {condition}", place)
            items += [{"item_id": f"{split}-{condition}-{i:04d}", **row} for i, row in enumerate(rows)]
    table = pd.DataFrame(items)
    words = table["prompt"].str.split().str.len().groupby(table["condition"]).mean().round(2)
    job.write(
        settings, table, text_only=True, images_of=base.name,
        types=by_split(table, "type", len), prompt_words=words.to_dict(), majority=majority(table),
    )  # fmt: skip


class _Breaker:
    """Finds the places of captions that make items; a scene has at most ``max_objects`` objects."""

    def __init__(self, concepts: Mapping[str, Concept], max_objects: int, rng: np.random.Generator) -> None:
        self._concepts, self._max_objects, self._rng = concepts, max_objects, rng

    def break_all(self, pictures: list[Picture], captions: pd.DataFrame) -> dict[str, list[dict[str, str]]]:
        """Return type → all items that can be made of the captions."""
        by_id = {picture.image_id: picture for picture in pictures}
        found: dict[str, list[dict[str, str]]] = {kind: [] for kind in CONDITIONS}
        ways = (self._nouns, self._counts, self._places, self._sides, self._functions, self._agreement)
        for row in captions.itertuples():
            words, tags = row.caption.split(), row.pos.split()
            picture = by_id[row.image_id]
            mentions = self._mentions(words, picture)
            for kind, at, answer, distractors in (one for way in ways for one in way(picture, words, mentions)):
                wrong = self._pick(distractors, len(distractors))
                if at:
                    found[kind].append(
                        {
                            "split": picture.split, "image_id": picture.image_id, "prompt": " ".join(words[:at]),
                            "answer": answer, "distractors": json.dumps(wrong), "condition": CONDITIONS[kind],
                            "type": kind, "pos": tags[at],
                        }
                    )  # fmt: skip
        return found

    def _mentions(self, words: list[str], picture: Picture) -> list[Mention]:
        forms = {tuple(self._concepts[group.concept].form(group.count == 1).split()): i
                 for i, group in enumerate(picture.scene.groups)}  # fmt: skip
        return [
            Mention(at, at + len(form), i)
            for at in range(len(words))
            for form, i in forms.items()
            if tuple(words[at : at + len(form)]) == form
        ]

    def _pick(self, options: Sequence[T], number: int) -> list[T]:
        """Return ``number`` of the options at random; none if there are fewer."""
        if len(options) < number:
            return []
        return [options[i] for i in self._rng.permutation(len(options))[:number]]

    def _nouns(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        present = {group.concept for group in picture.scene.groups}
        absent = [concept for name, concept in self._concepts.items() if name not in present]
        for mention in mentions:
            group, last = picture.scene.groups[mention.group], words[mention.start - 1]
            own, single = self._concepts[group.concept], group.count == 1
            answer = own.form(single)
            if last in ("a", "an"):
                fit = [concept.name for concept in absent if article(concept.name) == last]
                unfit = [concept.name for concept in absent if article(concept.name) != last]
                if wrong := self._pick(fit, 3):
                    yield "noun", mention.start, answer, wrong
                if (allowed := self._pick(fit, 1)) and (ruled_out := self._pick(unfit, 2)):
                    yield "article_noun", mention.start, answer, allowed + ruled_out
                continue
            if wrong := self._pick([concept.form(single) for concept in absent], 3):
                yield "noun", mention.start, answer, wrong
            other = self._pick([concept for concept in absent if concept.name != concept.plural], 1)
            if other and own.name != own.plural:
                wrong = [other[0].form(single), own.form(not single), other[0].form(not single)]
                yield "noun_form", mention.start, answer, wrong

    def _counts(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        groups = picture.scene.groups
        for number, mention in enumerate(mentions):
            at = mention.start - 1 - (words[mention.start - 1] in ADJECTIVES)
            if words[at] not in COUNT_WORDS or at < 1:
                continue
            named = {one.group for one in mentions[:number]}
            open_counts = {group.count for i, group in enumerate(groups) if i not in named}
            others = [word for word in COUNT_WORDS if word != words[at]]
            if words[at - 1] == "are" and not named:
                if len(open_counts - {1}) == 1:
                    yield "plural_count", at, words[at], [*self._pick(others[1:], 1), "one", "a single"]
            elif words[at - 1] != "is" and len(open_counts) == 1 and self._all_fit(groups, named, words[:at]):
                yield "number", at, words[at], others

    def _all_fit(self, groups: tuple[Group, ...], named: set[int], prompt: list[str]) -> bool:
        """Whether one to four objects of a further kind fit into a scene that the prompt begins to describe."""
        total = sum(groups[i].count for i in named)
        return total + len(COUNT_WORDS) <= self._max_objects and not (named and {",", *ADJECTIVES} & set(prompt))

    def _places(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        for mention in mentions:
            at = _after_link(words, mention.end)
            word = words[at] if at < len(words) else ""
            own = next((direction for direction, first in PLACE_WORDS.items() if word in first), None)
            others = [direction for direction in PLACE_WORDS if direction != own]
            if own and not any(_stands_anywhere(picture, direction, mention.group) for direction in others):
                yield "place", at, word, [self._pick(PLACE_WORDS[direction], 1)[0] for direction in others]

    def _sides(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        places = [at for at, word in enumerate(words) if word in SIDE_WORDS and words[at - 1] == "the"]
        for number, at in enumerate(places):
            others = [side for side in SIDE_WORDS if side != words[at]]
            if number:
                yield "other_side", at, words[at], others
                continue
            kind, forward = SIDE_WORDS[words[at]]
            # After ", and" the side opens a clause that may begin with either side.
            before = [mention for mention in mentions if _after_link(words, mention.end) == at - 2]
            if before and not _stands_anywhere(picture, (kind, not forward), before[0].group):
                yield "side", at, words[at], others

    def _functions(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        starts = {_after_link(words, mention.end) for mention in mentions}
        for at in range(1, len(words)):
            endings = [" ".join(words[at - size : at]) for size in (1, 2, 3) if size <= at]
            endings += [f"* {words[at - 1]}"] if at - 1 in starts else []
            answer = next((DETERMINED[ending] for ending in endings if ending in DETERMINED), None)
            if answer is not None:
                yield "function", at, answer, self._pick([word for word in FREQUENT if word != answer], 3)

    def _agreement(self, picture: Picture, words: list[str], mentions: list[Mention]) -> Iterator[Found]:
        for mention in mentions:
            if mention.end < len(words) and words[mention.end] in ("is", "are"):
                other = {"is": "are", "are": "is"}[words[mention.end]]
                yield "agreement", mention.end, words[mention.end], [other, *self._pick(NEVER_AFTER_NOUN, 2)]


def _after_link(words: list[str], at: int) -> int:
    """Return where a relation's wording begins after a noun phrase that ends at ``at``: past "is", "are shown" ..."""
    for link in (("is", "are"), ("placed", "shown")):
        at += at < len(words) and words[at] in link
    return at


def _stands_anywhere(picture: Picture, direction: Direction, group: int) -> bool:
    """Whether a group stands to that side of any other."""
    return any(picture.stands(direction, group, other) for other in range(len(picture.scene.groups)) if other != group)
