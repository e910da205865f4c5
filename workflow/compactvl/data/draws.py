"""Even draws, and what a set's record says of what was drawn."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from compactvl.errors import UserError

SPLITS = ("train", "val", "test")
HELD_OUT = SPLITS[1:]
T = TypeVar("T")
Key = Callable[[T], Hashable]


def pick(options: Sequence[T], rng: np.random.Generator) -> T:
    """Draw one of the options."""
    return options[rng.integers(len(options))]


def draw_evenly(candidates: Sequence[T], number: int, *, key: Key, once: Key, rng: np.random.Generator) -> list[T]:
    """Draw up to ``number`` candidates, one of each ``key`` in turn, none with the same ``once`` as an earlier one.

    Keys with fewer candidates are served first. Every beginning of the result is drawn as evenly.
    """
    piles: dict[Hashable, list[T]] = {}
    for i in rng.permutation(len(candidates)):
        piles.setdefault(key(candidates[i]), []).append(candidates[i])
    turns = sorted(piles.values(), key=len)
    used: set[Hashable] = set()
    chosen: list[T] = []
    while any(turns) and len(chosen) < number:
        for pile in turns:
            while pile and once(pile[-1]) in used:
                pile.pop()
            if pile and len(chosen) < number:
                used.add(once(pile[-1]))
                chosen.append(pile.pop())
    return chosen


def share(lists: Iterable[Sequence[T]], number: int) -> list[T]:
    """Return ``number`` elements, as many of each list as it has or an equal share; in the lists' order."""
    rounds = zip_longest(*([(i, one) for one in row] for i, row in enumerate(lists)))
    taken = [pair for row in rounds for pair in row if pair is not None][:number]
    return [one for _, one in sorted(taken, key=lambda pair: pair[0])]


def enough(rows: list[T], number: int, what: str, place: str) -> list[T]:
    """Return ``rows``.

    Raises:
        UserError: there are fewer than ``number``.
    """
    if len(rows) < number:
        raise UserError(
            f"{place}: {number} {what} asked for, the scenes give {len(rows)}; "
            "ask for fewer, or for more scenes or concepts"
        )
    return rows


def by_split(items: pd.DataFrame, kind: str, value: Callable[[pd.DataFrame], Any]) -> dict[str, dict[str, Any]]:
    """Return split → value of the column ``kind`` → ``value`` of those items."""
    return {split: {one: value(rows) for one, rows in own.groupby(kind)} for split, own in items.groupby("split")}


def majority(items: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return split → type → accuracy of always giving the type's most frequent answer."""
    return by_split(items, "type", lambda own: round(own["answer"].value_counts().max() / len(own), 4))
