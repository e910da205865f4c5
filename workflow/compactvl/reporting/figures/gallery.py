"""Queries as pictures: the first stage's and the reranker's top five, the right image framed."""

import io
import textwrap
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.study import NotRun, StudyResults
from compactvl.reporting.style import GREEN

SHOWN = 5
PAGE, CELL, GAP = 10.0, 0.92, 0.06
"""Inches: width of the figure, of an image, and between images."""
HALF = PAGE - SHOWN * (CELL + GAP) + GAP
HEADER, CAPTION = 0.36, 0.24
BLOCK = CAPTION + CELL + 0.2
CAPTION_LETTERS = 130


@dataclass(frozen=True)
class _Ranking:
    query_id: str
    images: list[str]
    right: list[bool]


def gallery(
    study: StudyResults,
    *,
    dataset: CanonicalSet | None,
    reranker: str,
    first_stage: str,
    benchmark: str = "scenes",
    queries: int = 6,
    seed: int = 0,
) -> Figure | NotRun:
    """Draw text-to-image queries: half where the reranker put the right image first and the first stage did not, the
    rest split between the reverse and both wrong, drawn at random from each group.

    Args:
        dataset: canonical set of the benchmark; ``None`` when it is not on disk. queries: how many, at most.
        seed: of the draw.
    """
    if dataset is None:
        return NotRun("the data set's images are not on disk")
    before, after = study.predictions(first_stage, benchmark), study.predictions(reranker, benchmark)
    if not before or not after:
        return NotRun(f"{first_stage} or {reranker} was not evaluated on {benchmark}")
    pool = study.pool(reranker, benchmark)
    first = _top(next(iter(before.values())), SHOWN)
    second = _top(next(iter(after.values())), pool)
    shown = _choose(first, second, queries, np.random.default_rng(seed))
    if not shown:
        return NotRun("the two models rank no query differently")
    captions = _captions(dataset)
    figure = plt.figure(figsize=(PAGE, HEADER + BLOCK * len(shown)))
    # Switched off only now: without an engine, saving would take the style's and warn.
    figure.set_layout_engine("none")
    page = _Page(figure, HEADER + BLOCK * len(shown))
    for half, title in enumerate(("First stage", "Reranked")):
        page.text(half * HALF, 0.04, title, weight="bold", size=11)
    for number, query in enumerate(shown):
        top = HEADER + number * BLOCK
        page.text(0, top, f"“{textwrap.shorten(captions.get(query, query), CAPTION_LETTERS)}”", size=10)
        for half, ranking in enumerate((first[query], second[query])):
            for place, image in enumerate(ranking.images):
                axes = page.axes(half * HALF + place * (CELL + GAP), top + CAPTION, CELL)
                axes.imshow(picture(dataset, image))
                _frame(axes, ranking.right[place])
    return figure


class _Page:
    """Places text and square axes on a figure, in inches from its top left corner."""

    def __init__(self, figure: Figure, height: float) -> None:
        self._figure, self._height = figure, height

    def text(self, x: float, y: float, text: str, **font: object) -> None:
        self._figure.text(x / PAGE, 1 - y / self._height, text, va="top", **font)

    def axes(self, x: float, y: float, size: float) -> Axes:
        box = (x / PAGE, 1 - (y + size) / self._height, size / PAGE, size / self._height)
        axes = self._figure.add_axes(box)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(visible=False)
        return axes


def _captions(dataset: CanonicalSet, split: str = "test") -> dict[str, str]:
    """Caption by the id a predictions table has for it: the item's id, or its place among the split's items."""
    items = dataset.items[dataset.items["split"] == split]
    places = dict(zip(map(str, range(len(items))), items["caption"], strict=True))
    return places | dict(zip(items["item_id"].astype(str), items["caption"], strict=True))


def _top(table: pd.DataFrame, pool: int) -> dict[str, _Ranking]:
    """The first five images of each text query after its first ``pool`` candidates were sorted by score."""
    rankings = {}
    for row in table[table["direction"] == "t2i"].itertuples():
        head = np.argsort(-np.asarray(row.scores[:pool]), kind="stable")
        order = np.concatenate([head, np.arange(len(head), len(row.candidates))])[:SHOWN]
        images = [str(row.candidates[i]) for i in order]
        rankings[row.query_id] = _Ranking(row.query_id, images, [bool(row.relevant[i]) for i in order])
    return rankings


def _choose(first: dict[str, _Ranking], second: dict[str, _Ranking], n: int, rng: np.random.Generator) -> list[str]:
    groups: dict[tuple[bool, bool], list[str]] = {(False, True): [], (True, False): [], (False, False): []}
    for query in first.keys() & second.keys():
        outcome = (first[query].right[0], second[query].right[0])
        if outcome in groups and any(first[query].right + second[query].right):
            groups[outcome].append(query)
    wanted = {(False, True): (n + 1) // 2, (True, False): (n + 2) // 4, (False, False): n // 4}
    chosen = []
    for outcome, members in groups.items():
        count = min(wanted[outcome], len(members))
        chosen += list(rng.choice(sorted(members), count, replace=False)) if count else []
    return [str(query) for query in chosen[:n]]


def picture(dataset: CanonicalSet, image_id: str) -> np.ndarray:
    """Return an image of a canonical set as ``(height, width, 3)`` uint8, on white where it is transparent."""
    with Image.open(io.BytesIO(dataset.image_bytes(image_id))) as opened:
        layer = opened.convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return np.asarray(Image.alpha_composite(ground, layer).convert("RGB"))


def _frame(axes: Axes, right: bool) -> None:
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GREEN if right else "#CCCCCC")
        spine.set_linewidth(3.0 if right else 0.6)
