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
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from compactvl.data.captions import NUMBERS, WHERE, Captioner, joined
from compactvl.data.concepts import Concept
from compactvl.data.curate import Curation
from compactvl.data.draws import HELD_OUT, draw_evenly, enough, pick
from compactvl.data.kinds.scene_ewok import Settings
from compactvl.data.scene import Group, Scene, exchange, scene_from_meta
from compactvl.data.scene_texts import Picture, read_pictures

DOMAINS = ("left_right", "above_below", "quantity", "comparison")
REWORDED = {1: ("a", "one", "a single"), 2: ("two", "a pair of")}
OPENINGS = ("", "we see", "this picture shows", "a picture of", "an image with")
JOINTS = ("and", "and also", "together with")
MORE = ("there are", "we see", "this picture shows")
COLUMNS = ("context_0", "context_1", "target_0", "target_1")
Pair = tuple[Group, Group]
Texts = tuple[str, str, str, str]
"""Of ``COLUMNS``."""


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_ewok``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures, concepts = read_pictures(settings, job)
    writer = _Writer(concepts, np.random.default_rng([settings.seed, 11]))
    gists = base.images["meta"].map(lambda meta: scene_from_meta(meta).gist)
    items = []
    for split in HELD_OUT:
        pairs = _pairs(pictures[split], set(gists[base.images["split"] != split]))
        number = getattr(settings.items, split)
        for domain in DOMAINS:
            fit = pairs if domain in ("left_right", "above_below") else [p for p in pairs if _unequal(p, domain)]
            drawn = draw_evenly(fit, number, key=_counts, once=_concepts, rng=writer.rng)
            for i, pair in enumerate(enough(drawn, number, f"{split} items of {domain}", f"{job.place}.items.{split}")):
                texts = dict(zip(COLUMNS, writer.write(domain, pair, converse=i % 2 == 0), strict=True))
                items.append({"item_id": f"{split}-{domain}-{i:04d}", "split": split, **texts, "domain": domain})
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

    def _phrase(self, group: Group, count: str) -> str:
        return joined(self._captioner.noun_phrase(group, False, count=count))[0]

    def _spatial(self, kind: str, pair: Pair, converse: bool) -> Texts:
        a, b = (self._phrase(group, "a" if group.count == 1 else NUMBERS[group.count]) for group in pair)
        numbers = {group.count == 1 for group in pair}
        links = [" is"] if numbers == {True} else [" are"] if numbers == {False} else []
        # Verbs would not agree with both where one is singular: such clauses go without, as some captions do.
        links = [link + verb for link in links or [""] for verb in ("", " placed", " shown")]
        forward = bool(self.rng.integers(2))
        stated = pick(WHERE[kind, forward], self.rng)
        asked = pick([where for where in WHERE[kind, forward != converse] if where != stated], self.rng)
        said, told = (f"{{}}{pick(links, self.rng)} {where} {{}} .".format for where in (stated, asked))
        targets = (told(b, a), told(a, b)) if converse else (told(a, b), told(b, a))
        return said(a, b), said(b, a), *targets

    def _listings(self, pair: Pair, wording: Mapping[int, str]) -> tuple[str, str]:
        """Return a list of the pair with the counts as they are, and the same with the counts exchanged."""
        opening, joint = pick(OPENINGS, self.rng), pick(JOINTS, self.rng)
        lists = []
        for counted in (pair, pair[::-1]):
            counts = [group.count for group in counted]
            first, second = (
                self._phrase(replace(group, count=count), wording[count])
                for group, count in zip(pair, counts, strict=True)
            )
            lists.append(f"{opening} {first} {joint} {second} .".strip())
        return tuple(lists)

    def _wording(self, pair: Pair) -> dict[int, str]:
        return {group.count: pick(REWORDED.get(group.count, (NUMBERS[group.count],)), self.rng) for group in pair}

    def _quantity(self, pair: Pair, converse: bool) -> Texts:
        stated = self._wording(pair)
        asked = {}
        for count, word in stated.items():
            others = [other for other in REWORDED.get(count, ()) if other != word]
            asked[count] = pick(others, self.rng) if others else word
        return *self._listings(pair, stated), *self._listings(pair[::-1] if converse else pair, asked)

    def _comparison(self, pair: Pair) -> Texts:
        contexts, opening = self._listings(pair, self._wording(pair)), pick(MORE, self.rng)
        fewer, more = (self._concepts[group.concept].plural for group in sorted(pair, key=lambda group: group.count))
        return *contexts, f"{opening} more {more} than {fewer} .", f"{opening} more {fewer} than {more} ."
