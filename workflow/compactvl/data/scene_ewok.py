"""The data set ``scene_ewok``: EWoK's format on the captions' world. Which target follows from which context?

    left_right, above_below   "a dog is above a cat ."            →  "a cat is under a dog ."     (the converse)
                                                                   or "a dog is over a cat ."      (a synonym)
    quantity                  "we see two dogs and three cats ."  →  "a pair of dogs and three cats ."
    comparison                "we see two dogs and three cats ."  →  "there are more cats than dogs ."

Context 1 exchanges what context 0 says of the two kinds of object; target 1 likewise. The contexts have the same words
and so have the targets, but for number (dog, dogs) where counts are exchanged. A scorer that does not read the context
wins exactly one of an item's two comparisons. Half the spatial items ask for the converse, in which the nouns change
places, half for a synonym, in which they do not: repeating the context's order wins half of them.

Objects and counts are those of two kinds of object of a held-out scene; nothing of another split has them.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from compactvl.data.captions import NUMBERS, WHERE, Captioner
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.kinds.scene_ewok import Settings
from compactvl.data.scene import Group, Scene, exchange, scene_from_meta
from compactvl.data.scene_texts import HELD_OUT, Picture, draw_evenly, enough, read_pictures

DOMAINS = ("left_right", "above_below", "quantity", "comparison")
REWORDED = {1: ("a", "one", "a single"), 2: ("two", "a pair of")}
OPENINGS = ("", "we see", "this picture shows", "a picture of", "an image with")
JOINTS = ("and", "and also", "together with")
MORE = ("there are", "we see", "this picture shows")
Pair = tuple[Group, Group]
Texts = tuple[str, str, str, str]


def curate_scene_ewok(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_ewok``.

    Raises:
        UserError: it names no scenes set, or one that has too few scenes.
    """
    base, pictures, concepts = read_pictures(settings, job)
    writer = _Writer(concepts, np.random.default_rng([settings.seed, 11]))
    gists = {split: set(rows.map(lambda meta: scene_from_meta(meta).gist))
             for split, rows in base.images.groupby("split")["meta"]}  # fmt: skip
    items = []
    for split in HELD_OUT:
        elsewhere = set().union(*(own for other, own in gists.items() if other != split))
        pairs = _pairs(pictures[split], elsewhere)
        number = getattr(settings.items, split)
        for domain in DOMAINS:
            fit = pairs if domain in ("left_right", "above_below") else [p for p in pairs if _unequal(p, domain)]
            drawn = draw_evenly(fit, number, key=_counts, once=_concepts, rng=writer.rng)
            for i, pair in enumerate(enough(drawn, number, f"{split} items of {domain}", f"{job.place}.items.{split}")):
                context_0, context_1, target_0, target_1 = writer.write(domain, pair, converse=i % 2 == 0)
                items.append(
                    {
                        "item_id": f"{split}-{domain}-{i:04d}",
                        "split": split,
                        "context_0": context_0,
                        "context_1": context_1,
                        "target_0": target_0,
                        "target_1": target_1,
                        "domain": domain,
                    }
                )
    domains = dict(Counter(item["domain"] for item in items))
    job.write(settings, pd.DataFrame(items), text_only=True, domains=domains)


def _pairs(pictures: list[Picture], elsewhere: set[str]) -> list[Pair]:
    """Return all pairs of groups that stand in one picture, but for those whose gist is in another split."""
    pairs = []
    for picture in pictures:
        for pair in itertools.combinations(picture.scene.groups, 2):
            scene = Scene(tuple(replace(group, size=None, style="") for group in pair))
            exchanged = exchange(scene, "count") or scene
            if not {scene.gist, exchanged.gist} & elsewhere:
                pairs.append(scene.groups)
    return pairs


def _counts(pair: Pair) -> tuple[int, int]:
    return tuple(sorted(group.count for group in pair))


def _concepts(pair: Pair) -> tuple[str, str]:
    return tuple(sorted(group.concept for group in pair))


def _unequal(pair: Pair, domain: str) -> bool:
    low, high = _counts(pair)
    return low != high and (domain != "quantity" or low in REWORDED)


class _Writer:
    """Writes the two contexts and the two targets of an item."""

    def __init__(self, concepts: Mapping[str, Concept], rng: np.random.Generator) -> None:
        self.rng = rng
        self._concepts, self._captioner = concepts, Captioner(concepts, rng)

    def write(self, domain: str, pair: Pair, *, converse: bool) -> Texts:
        """Return contexts 0 and 1 and targets 0 and 1; ``converse``: the target's nouns change places."""
        pair = pair if self.rng.random() < 0.5 else pair[::-1]
        if domain == "quantity":
            return self._quantity(pair, converse)
        if domain == "comparison":
            return self._comparison(pair)
        return self._spatial(domain, pair, converse)

    def _one(self, options):
        return options[self.rng.integers(len(options))]

    def _phrase(self, group: Group, count: str | None = None) -> str:
        return " ".join(word for word, _ in self._captioner.noun_phrase(group, False, count=count))

    def _spatial(self, kind: str, pair: Pair, converse: bool) -> Texts:
        a, b = (self._phrase(group, "a" if group.count == 1 else NUMBERS[group.count]) for group in pair)
        numbers = {group.count == 1 for group in pair}
        links = [" is"] if numbers == {True} else [" are"] if numbers == {False} else []
        # Verbs would not agree with both where one is singular: such clauses go without, as some captions do.
        links = [link + verb for link in links or [""] for verb in ("", " placed", " shown")]
        forward = bool(self.rng.integers(2))
        stated = self._one(WHERE[kind, forward])
        asked = self._one([where for where in WHERE[kind, forward != converse] if where != stated])
        said, told = (self._clause(self._one(links), where) for where in (stated, asked))
        targets = (told(b, a), told(a, b)) if converse else (told(a, b), told(b, a))
        return said(a, b), said(b, a), *targets

    @staticmethod
    def _clause(link: str, where: str) -> Callable[[str, str], str]:
        return lambda first, second: f"{first}{link} {where} {second} ."

    def _listing(self, pair: Pair, wording: Mapping[int, str]) -> Callable[[bool], str]:
        """Return a function that writes the list, with the counts as they are or exchanged."""
        opening, joint = self._one(OPENINGS), self._one(JOINTS)

        def write(exchanged: bool) -> str:
            counts = [group.count for group in (pair[::-1] if exchanged else pair)]
            first, second = (
                self._phrase(replace(group, count=count), wording[count])
                for group, count in zip(pair, counts, strict=True)
            )
            return f"{opening} {first} {joint} {second} .".strip()

        return write

    def _wording(self, pair: Pair) -> dict[int, str]:
        return {group.count: self._one(REWORDED.get(group.count, (NUMBERS[group.count],))) for group in pair}

    def _quantity(self, pair: Pair, converse: bool) -> Texts:
        stated = self._wording(pair)
        asked = {}
        for count, word in stated.items():
            others = [other for other in REWORDED.get(count, ()) if other != word]
            asked[count] = self._one(others) if others else word
        said, told = self._listing(pair, stated), self._listing(pair[::-1] if converse else pair, asked)
        return said(False), said(True), told(False), told(True)

    def _comparison(self, pair: Pair) -> Texts:
        said, opening = self._listing(pair, self._wording(pair)), self._one(MORE)
        fewer, more = (self._concepts[group.concept].plural for group in sorted(pair, key=lambda group: group.count))
        targets = (f"{opening} more {more} than {fewer} .", f"{opening} more {fewer} than {more} .")
        return said(False), said(True), *targets
