"""The data set ``scene_entail``: hypotheses about scenes in SNLI-VE's form.

Items: item_id, image_id, hypothesis, split, label (0 contradiction, 1 entailment, 2 neutral), type. A hypothesis names two
things:

    things   "there is a dog and a cat"       a thing is visible if there is at least one
    numbers  "there are two dogs and one cat" things are visible if there are that many

    entailment     both are visible
    neutral        one of them is visible, and the other not
    contradiction  none is visible

So *neutral* means here that the image supports a part of the hypothesis, not that it leaves open whether the rest is true:
by logic a neutral hypothesis is false, as nothing is hidden in a scene. It asks for the same comparison of every thing
named with the image as SNLI-VE does, with three outcomes. What a scene really cannot tell (whose dog it is) would be a
hypothesis that its words give away, as no scene entails or contradicts it.

Every hypothesis occurs with one image of each label, so that labels are even and its text alone is right a third of the
time. Of the images that make a number false half have those things in another number, as far as there are any.
"""

import itertools
from collections.abc import Hashable, Iterator, Sequence

import numpy as np
import pandas as pd

from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, draw_evenly, enough, pick
from compactvl.data.kinds.scene_entail import Settings
from compactvl.data.scene_splits import a, numbered, read_splits, tally, write_answered
from compactvl.data.scene_texts import Picture

ANSWERS = ("contradiction", "entailment", "neutral")
OPENINGS = ("there {} ", "the picture shows ", "we see ", "")
NEAR = 0.5
"""Share of the images with a false number that have the thing in another number."""
Thing = tuple[str, int]  # a concept, and how many there are in a picture that has it
Candidate = tuple[int, tuple[Thing, Thing]]  # a picture, and two things that are visible there


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``scene_entail``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    base, pictures = read_splits(settings, job)
    rows: list[dict] = []
    for stream, split in enumerate(SPLITS):
        rng = np.random.default_rng([settings.seed, 23, stream])
        number = getattr(settings.hypotheses, split)
        made: list[tuple[str, str, list[int]]] = []
        for kind, half in (("things", (number + 1) // 2), ("numbers", number // 2)):
            made += itertools.islice(_hypotheses(pictures[split], kind, rng), half)
        enough(made, number, f"{split} hypotheses", f"{job.place}.hypotheses.{split}")
        for i, (kind, text, chosen) in enumerate(made):
            rows += [
                {
                    "item_id": f"{split}-{i:05d}-{label}", "image_id": pictures[split][picture].image_id,
                    "hypothesis": text, "split": split, "label": label, "type": kind,
                }
                for label, picture in enumerate(chosen)
            ]  # fmt: skip
    items = pd.DataFrame(rows)
    write_answered(settings, job, base, items, "hypothesis", "label", list(ANSWERS))


def _hypotheses(
    pictures: Sequence[Picture], kind: str, rng: np.random.Generator
) -> Iterator[tuple[str, str, list[int]]]:
    """Yield (type, text, the picture of each label), as even over what is named as the pictures are."""
    tallies = [tally(picture) for picture in pictures]
    column = {concept: i for i, concept in enumerate(sorted({concept for own in tallies for concept in own}))}
    counts = np.zeros((len(tallies), len(column)), dtype=np.int8)
    for row, own in enumerate(tallies):
        counts[row, [column[concept] for concept in own]] = list(own.values())
    candidates = [(i, pair) for i, own in enumerate(tallies) for pair in itertools.combinations(sorted(own.items()), 2)]

    def said(candidate: Candidate) -> Hashable:
        return candidate[1] if kind == "numbers" else tuple(concept for concept, _ in candidate[1])

    for entailing, pair in draw_evenly(candidates, len(candidates), key=said, once=lambda one: one, rng=rng):
        named = [pair[i] for i in rng.permutation(2)]
        own = counts[:, [column[concept] for concept, _ in named]]
        visible = own == [number for _, number in named] if kind == "numbers" else own > 0
        one = int(rng.integers(2))
        contradicting = _draw(~visible.any(axis=1), own.any(axis=1), rng)
        neutral = _draw(visible[:, one] & ~visible[:, 1 - one], own[:, 1 - one] > 0, rng)
        if contradicting is not None and neutral is not None:
            yield kind, _text(named, kind, rng), [contradicting, entailing, neutral]


def _draw(fitting: np.ndarray, near: np.ndarray, rng: np.random.Generator) -> int | None:
    """Draw one of the pictures that fit (bool, one a picture), half of the time a near one; ``None`` if none fits."""
    close = fitting & near
    if rng.random() < NEAR and close.any():
        fitting = close
    return int(pick(np.flatnonzero(fitting), rng)) if fitting.any() else None


def _text(named: Sequence[Thing], kind: str, rng: np.random.Generator) -> str:
    words = [numbered(number, concept) if kind == "numbers" else a(concept) for concept, number in named]
    be = "are" if kind == "numbers" and named[0][1] > 1 else "is"
    return f"{pick(OPENINGS, rng).format(be)}{words[0]} and {words[1]}"
