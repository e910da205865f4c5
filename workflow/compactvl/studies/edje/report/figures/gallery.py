"""Queries as pictures: the first stage's and the reranker's top five, the right image framed."""

import textwrap
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.pictures import page, picture, put_picture
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import GREEN
from compactvl.studies.edje.report.results import SCENES, EdjeResults

SHOWN = 5
PAGE, CELL, GAP = 10.0, 0.92, 0.06
"""Inches: width of the figure, of an image, and between images."""
HALF = PAGE - SHOWN * (CELL + GAP) + GAP
HEADER, CAPTION = 0.36, 0.24
BLOCK = CAPTION + CELL + 0.2
CAPTION_LETTERS = 130


class Ranking(NamedTuple):
    """The first images for a query, and which of them are right."""

    images: list[str]
    right: list[bool]


def gallery(
    study: EdjeResults, *, dataset: CanonicalSet | None, reranker: str, first_stage: str, queries: int = 6
) -> Figure | NotRun:
    """Draw text-to-image queries: half where the reranker put the right image first and the first stage did not, the
    rest split between the reverse and both wrong, drawn at random from each group.

    Args:
        dataset: the scenes; ``None`` when they are not on disk. queries: how many, at most.
    """
    if dataset is None:
        return NotRun("the data set's images are not on disk")
    before, after = study.predictions(first_stage, SCENES), study.predictions(reranker, SCENES)
    if not before or not after:
        return NotRun(f"{first_stage} or {reranker} was not evaluated on {SCENES}")
    first = top(next(iter(before.values())), SHOWN)
    second = top(next(iter(after.values())), study.pool(reranker, SCENES))
    shown = _choose(first, second, queries, np.random.default_rng(0))
    if not shown:
        return NotRun("the two models rank no query differently")
    captions, height = dataset.split("test")["caption"], HEADER + BLOCK * len(shown)
    figure = page(PAGE, height)
    for half, title in enumerate(("First stage", "Reranked")):
        figure.text(half * HALF / PAGE, 1 - 0.04 / height, title, va="top", weight="bold", size=11)
    for number, query in enumerate(shown):
        y = HEADER + number * BLOCK
        caption = textwrap.shorten(captions.iloc[int(query)], CAPTION_LETTERS)
        figure.text(0, 1 - y / height, f"“{caption}”", va="top", size=10)
        for half, ranking in enumerate((first[query], second[query])):
            for place, (image, right) in enumerate(zip(*ranking, strict=True)):
                frame = {"colour": GREEN, "line": 3.0} if right else {}
                x = half * HALF + place * (CELL + GAP)
                put_picture(figure, picture(dataset, image), x, y + CAPTION, CELL, **frame)
    return figure


def top(table: pd.DataFrame, pool: int) -> dict[str, Ranking]:
    """Return the first five images of each text query after its first ``pool`` candidates were sorted by score."""
    rankings = {}
    for row in table[table["direction"] == "t2i"].itertuples():
        head = np.argsort(-np.asarray(row.scores[:pool]), kind="stable")
        order = np.concatenate([head, np.arange(len(head), len(row.candidates))])[:SHOWN]
        rankings[row.query_id] = Ranking(
            [str(row.candidates[i]) for i in order], [bool(row.relevant[i]) for i in order]
        )
    return rankings


def _choose(first: dict[str, Ranking], second: dict[str, Ranking], n: int, rng: np.random.Generator) -> list[str]:
    wanted = {(False, True): (n + 1) // 2, (True, False): (n + 2) // 4, (False, False): n // 4}
    groups: dict[tuple[bool, bool], list[str]] = {outcome: [] for outcome in wanted}
    for query in first.keys() & second.keys():
        outcome = (first[query].right[0], second[query].right[0])
        if outcome in groups and any(first[query].right + second[query].right):
            groups[outcome].append(query)
    chosen = [
        str(query)
        for outcome, members in groups.items()
        for query in rng.choice(sorted(members), min(wanted[outcome], len(members)), replace=False)
    ]
    return chosen[:n]
