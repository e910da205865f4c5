"""Captions of scenes, from a grammar that carries gold parts of speech.

Words are lower-case and separated by single spaces; a comma is a word of its own. Tags are the universal ones of
Petrov, Das and McDonald (2012) as the Brown corpus maps to them: NOUN VERB ADJ ADV PRON DET ADP NUM CONJ PRT and ``.``.

    caption   = list caption | relation caption ;
    list      = opening listing [ ending ] | listing ;
    opening   = "there" be | "here" be | "we see" | "a picture of" | "an image with" | "this picture shows" ;
    be        = "is" | "are" ;                                    (agrees with the first noun phrase)
    ending    = "in the picture" ;                                (after "there" be and alone)
    listing   = np | np joint np | np "," np joint np ;
    joint     = "and" | "and also" | "with" | "together with" ;   ("with" and "together with": two noun phrases)
    relation  = clause | np "," "and" clause | clause "," "and also" np ;        (the extra np: a third group)
    clause    = np [ be ] [ verb ] where np | side np "and" side np | np side "and" np side ;   (opposite sides)
    where     = [ ( "to" | "on" ) "the" ] ( "left" | "right" ) "of"
              | "above" | "over" | "higher than" | "below" | "under" | "beneath" | "lower than" ;
    side      = "on the left" | "on the right" | "at the top" | "at the bottom" ;
    verb      = "placed" | "shown" ;
    np        = count [ size ] noun ;
    count     = "a" | "an" | "one" | "a single" | "two" | "a pair of" | "three" | "four" | "five" | "six" ;
    size      = "big" | "large" | "small" | "little" ;

Every caption names all objects with their counts. Of five captions of a scene with a relation two state it; of five of
a scene with sizes three state them. All captions of a twin state what is exchanged.

Each caption comes with its exchanged one: the same choices made for the scene's twin, so two groups have changed places in
what it states of them. It is false of the image, and nothing in its words alone tells it from a caption that is true.
"""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from compactvl.data.concepts import Concept
from compactvl.data.draws import pick
from compactvl.data.inflection import article
from compactvl.data.scene import Group, Scene, exchange

NUMBERS = {1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
SIZE_WORDS = {"big": ("big", "large"), "small": ("small", "little")}
TAG_OF = {
    "a": "DET", "an": "DET", "the": "DET", "this": "DET", "of": "ADP", "on": "ADP", "in": "ADP", "at": "ADP",
    "to": "ADP", "with": "ADP", "above": "ADP", "over": "ADP", "below": "ADP", "under": "ADP", "beneath": "ADP",
    "than": "ADP", "and": "CONJ", "also": "ADV", "together": "ADV", "here": "ADV", "there": "PRT", "is": "VERB",
    "are": "VERB", "see": "VERB", "shows": "VERB", "placed": "VERB", "shown": "VERB", "we": "PRON", "picture": "NOUN",
    "image": "NOUN", "pair": "NOUN", "left": "NOUN", "right": "NOUN", "top": "NOUN", "bottom": "NOUN",
    "higher": "ADJ", "lower": "ADJ", "single": "ADJ", "big": "ADJ", "large": "ADJ", "small": "ADJ", "little": "ADJ",
    ",": ".",
}  # fmt: skip
WHERE = {
    ("left_right", True): ("to the left of", "left of", "on the left of"),
    ("left_right", False): ("to the right of", "right of", "on the right of"),
    ("above_below", True): ("above", "over", "higher than"),
    ("above_below", False): ("below", "under", "beneath", "lower than"),
}
SIDES = {"left_right": ("on the left", "on the right"), "above_below": ("at the top", "at the bottom")}

EXCHANGED = ("left_right", "above_below", "size", "count")
"""What a caption's exchanged one exchanges: the first of these that it states."""

Words = list[tuple[str, str]]


class Caption(NamedTuple):
    """A caption, its tags, and its exchanged caption ("" where it has none); words and tags are joined by spaces."""

    text: str
    tags: str
    exchanged: str


def words(text: str) -> Words:
    """Return the grammar's fixed words with their tags."""
    return [(word, TAG_OF[word]) for word in text.split()]


def joined(phrase: Words) -> tuple[str, str]:
    """Return a phrase's words and its tags, each as one text."""
    return " ".join(word for word, _ in phrase), " ".join(tag for _, tag in phrase)


class Captioner:
    """Writes captions of scenes; ``concepts`` by their names, for the plural forms."""

    def __init__(self, concepts: Mapping[str, Concept], rng: np.random.Generator) -> None:
        self._concepts, self._rng = concepts, rng

    def captions(self, scene: Scene, number: int, *, tell: str | None = None) -> list[Caption]:
        """Return ``number`` different captions of a scene.

        For twins, ``tell`` is what every caption must state: ``relation``, ``size`` or nothing in particular.
        """
        has_sizes = any(group.size for group in scene.groups)
        others = [other for what in EXCHANGED if (other := exchange(scene, what)) and other.content != scene.content]
        found: dict[str, Caption] = {}
        while len(found) < number:
            index = len(found)
            relation = scene.relation is not None and (tell == "relation" or index < 2)
            sizes = has_sizes and (tell == "size" or index in (0, 2, 3))
            before = copy.deepcopy(self._rng)
            text, tags = self._caption(scene, relation, sizes)
            replayed = (
                Captioner(self._concepts, copy.deepcopy(before))._caption(one, relation, sizes) for one in others
            )
            found.setdefault(text, Caption(text, tags, next((words for words, _ in replayed if words != text), "")))
        captions = list(found.values())
        return [captions[i] for i in self._rng.permutation(number)]

    def noun_phrase(self, group: Group, sizes: bool, *, count: str | None = None, size: str | None = None) -> Words:
        """Return ``two small dogs`` with tags; ``count`` and ``size`` set the wording, else it is drawn."""
        concept = self._concepts[group.concept]
        adjective = words(size or pick(SIZE_WORDS[group.size], self._rng)) if sizes and group.size else []
        noun = [(word, "NOUN") for word in concept.form(group.count == 1).split()]
        count = count or self._count(group.count)
        if count == "a":
            return [(article((adjective + noun)[0][0]), "DET"), *adjective, *noun]
        number = [(count, "NUM")] if count in NUMBERS.values() else words(count)
        return [*number, *adjective, *noun]

    def _count(self, count: int) -> str:
        draw = self._rng.random()
        if count == 1:
            return "a" if draw < 0.75 else "one" if draw < 0.9 else "a single"
        return "a pair of" if count == 2 and draw < 0.15 else NUMBERS[count]

    def _caption(self, scene: Scene, relation: bool, sizes: bool) -> tuple[str, str]:
        return joined(self._relation(scene, sizes) if relation else self._listing(scene, sizes))

    def _listing(self, scene: Scene, sizes: bool) -> Words:
        groups = [scene.groups[i] for i in self._rng.permutation(len(scene.groups))]
        listing, *phrases = [self.noun_phrase(group, sizes) for group in groups]
        if len(phrases) == 1:
            listing = listing + words(pick(("and", "and", "and also", "with", "together with"), self._rng)) + phrases[0]
        elif phrases:
            listing = listing + words(",") + phrases[0] + words(pick(("and", "and also"), self._rng)) + phrases[1]
        be = "is" if groups[0].count == 1 else "are"
        openings = ("", "", "", f"there {be}", f"here {be}", "we see", "a picture of", "an image with",
                    "this picture shows")  # fmt: skip
        opening = pick(openings, self._rng)
        ending = "in the picture" if opening in ("", f"there {be}") and self._rng.random() < 0.15 else ""
        return words(opening) + listing + words(ending)

    def _relation(self, scene: Scene, sizes: bool) -> Words:
        relation = scene.relation
        clause = self._clause(scene.groups[relation.first], scene.groups[relation.second], relation.kind, sizes)
        rest = [group for i, group in enumerate(scene.groups) if i not in (relation.first, relation.second)]
        if not rest:
            return clause
        extra = self.noun_phrase(rest[0], sizes)
        if self._rng.random() < 0.5:
            return extra + words(", and") + clause
        return clause + words(", and also") + extra

    def _clause(self, first: Group, second: Group, kind: str, sizes: bool) -> Words:
        a, b = self.noun_phrase(first, sizes), self.noun_phrase(second, sizes)
        forward = self._rng.random() < 0.5
        if self._rng.random() < 0.3:
            side_a, side_b = map(words, SIDES[kind])
            if not forward:
                side_a, side_b, a, b = side_b, side_a, b, a
            if self._rng.random() < 0.5:
                return side_a + a + words("and") + side_b + b
            return a + side_a + words("and") + b + side_b
        if not forward:
            first, a, b = second, b, a
        be = "is" if first.count == 1 else "are"
        link = pick(("", "", be, be, f"{be} placed", f"{be} shown", "placed", "shown"), self._rng)
        return a + words(link) + words(pick(WHERE[kind, forward], self._rng)) + b
