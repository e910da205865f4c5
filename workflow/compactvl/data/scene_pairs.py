"""The data set ``scene_pairs``: statements about two scenes in NLVR2's form.

Items: item_id, image_0 (left), image_1 (right), split, statement, label (0 false, 1 true), sentence_id, type. Every
statement has four different pairs of images and is true of two of them, so its text alone is right half the time, and
consistency asks for all four.

    number   "there are two dogs in exactly one of the images"
    both     "both images show a cat"
    only     "only the left image shows a dog"
    each     "one image shows a dog and the other a cat"
    total    "there are four dogs in total"
    objects  "the left image has more objects than the right one"
    more     "there are more dogs in the right image than in the left one"

A number is that very number; a thing that is shown may be there several times. Three in four images of a pair are drawn
among those with a thing that the statement names, so that what is false is mostly nearly true.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from compactvl.data.captions import NUMBERS
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, enough, pick
from compactvl.data.inflection import plural
from compactvl.data.kinds.scene_pairs import Settings
from compactvl.data.scene_splits import a, numbered, read_splits, tally, write_answered
from compactvl.data.scene_texts import Picture

ANSWERS = ("false", "true")
NAMED = 0.75
"""Share of the images that are drawn among those with a thing that the statement names."""
DRAFTED, TRIES = 40, 400
"""Statements of a type that are tried before there are too few pictures, and pairs that are tried for each."""
PAIRS_OF_A_LABEL = 2
Tally = Mapping[str, int]
Truth = Callable[[Tally, Tally], bool]
Pair = tuple[int, int]


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_pairs``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures = read_splits(settings, job)
    rows = []
    for stream, split in enumerate(SPLITS):
        number = getattr(settings.statements, split)
        writer = _Writer(pictures[split], np.random.default_rng([settings.seed, 22, stream]))
        made = list(itertools.takewhile(bool, map(writer.statement, itertools.islice(itertools.cycle(DRAFTS), number))))
        enough(made, number, f"{split} statements", f"{job.place}.statements.{split}")
        for i, (kind, text, pairs) in enumerate(made):
            sentence = f"{split}-{i:05d}"
            rows += [
                {
                    "item_id": f"{sentence}-{k}", "image_0": pictures[split][left].image_id,
                    "image_1": pictures[split][right].image_id, "split": split, "statement": text, "label": label,
                    "sentence_id": sentence, "type": kind,
                }
                for k, ((left, right), label) in enumerate(pairs)
            ]  # fmt: skip
    items = pd.DataFrame(rows)
    write_answered(settings, job, base, items, "statement", "label", list(ANSWERS))


class _Writer:
    """Writes statements about the pictures of a split."""

    def __init__(self, pictures: Sequence[Picture], rng: np.random.Generator) -> None:
        self._tallies, self._rng = [tally(picture) for picture in pictures], rng
        self._having: dict[str, list[int]] = {}
        for i, own in enumerate(self._tallies):
            for concept in own:
                self._having.setdefault(concept, []).append(i)

    def statement(self, kind: str) -> tuple[str, str, list[tuple[Pair, int]]] | None:
        """Return (type, text, four pairs with their labels), or ``None`` if none was found."""
        names = sorted(self._having)
        for _ in range(DRAFTED if len(names) > 1 else 0):
            concepts = [names[i] for i in self._rng.permutation(len(names))[:2]]
            named = sorted({i for concept in concepts[: THINGS[kind]] for i in self._having[concept]})
            seen = self._tallies[pick(named or range(len(self._tallies)), self._rng)]
            text, truth = DRAFTS[kind](*concepts, seen, self._rng)
            if pairs := self._pairs(truth, named):
                return kind, text, [pairs[i] for i in self._rng.permutation(len(pairs))]
        return None

    def _pairs(self, truth: Truth, named: Sequence[int]) -> list[tuple[Pair, int]]:
        """Return two pairs of which it is true and two of which it is not, all different; or none."""
        found: dict[Pair, int] = {}
        left: Counter[int] = Counter({0: PAIRS_OF_A_LABEL, 1: PAIRS_OF_A_LABEL})
        for pair in self._draws(named):
            label = int(truth(*(self._tallies[i] for i in pair)))
            if left[label] and pair not in found:
                found[pair] = label
                left[label] -= 1
            if not left.total():
                return list(found.items())
        return []

    def _draws(self, named: Sequence[int]) -> Iterator[Pair]:
        for among, draw in zip(self._rng.random((TRIES, 2)) < NAMED, self._rng.random((TRIES, 2)), strict=True):
            first, second = (
                named[int(one * len(named))] if near and named else int(one * len(self._tallies))
                for near, one in zip(among, draw, strict=True)
            )
            if first != second:
                yield first, second


def _number(x: str, _: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    number = seen[x]
    text = f"there {_be(number)} {numbered(number, x)} in exactly one of the {pick(('images', 'pictures'), rng)}"
    return text, lambda one, two: (one.get(x) == number) != (two.get(x) == number)


def _both(x: str, _: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    text = pick(("both images show {}", "there is {} in both pictures"), rng).format(a(x))
    return text, lambda one, two: x in one and x in two


def _only(x: str, _: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    if rng.random() < 0.5:
        return f"only the left image shows {a(x)}", lambda one, two: x in one and x not in two
    return f"only the right image shows {a(x)}", lambda one, two: x in two and x not in one


def _each(x: str, y: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    text = f"one image shows {a(x)} and the other {a(y)}"
    return text, lambda one, two: (x in one and y in two) or (y in one and x in two)


def _total(x: str, _: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    number = min(seen[x] + int(rng.integers(0, 4)), max(NUMBERS))
    text = f"there {_be(number)} {numbered(number, x)} {pick(('in total', 'in the two images together'), rng)}"
    return text, lambda one, two: one.get(x, 0) + two.get(x, 0) == number


def _objects(_: str, __: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    side, other, word, sign = _sides(rng)
    text = f"the {side} image has {word} objects than the {other} one"
    return text, lambda one, two: sign * (sum(one.values()) - sum(two.values())) > 0


def _more(x: str, _: str, seen: Tally, rng: np.random.Generator) -> tuple[str, Truth]:
    side, other, word, sign = _sides(rng)
    text = f"there are {word} {plural(x)} in the {side} image than in the {other} one"
    return text, lambda one, two: sign * (one.get(x, 0) - two.get(x, 0)) > 0


def _sides(rng: np.random.Generator) -> tuple[str, str, str, int]:
    """Return (side, other side, more or fewer, whether the left one then has more: 1 or -1)."""
    left, more = rng.random(2) < 0.5
    return *(("left", "right") if left else ("right", "left")), "more" if more else "fewer", 1 if left == more else -1


def _be(number: int) -> str:
    return "is" if number == 1 else "are"


DRAFTS: dict[str, Callable[[str, str, Tally, np.random.Generator], tuple[str, Truth]]] = {
    "number": _number, "both": _both, "only": _only, "each": _each, "total": _total, "objects": _objects, "more": _more,
}  # fmt: skip
"""Type → what drafts a statement of two concepts and a picture's tally: its text, and whether two pictures make it true."""
THINGS = {"number": 1, "both": 1, "only": 1, "each": 2, "total": 1, "objects": 0, "more": 1}
"""How many of the concepts a statement of that type names."""
