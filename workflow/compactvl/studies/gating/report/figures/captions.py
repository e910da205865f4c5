"""Captions beside their image, each word on the colour of its gate."""

import textwrap

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compactvl.data.canonical import CanonicalSet
from compactvl.reporting.pictures import page, picture, put_picture
from compactvl.reporting.study import NotRun
from compactvl.reporting.style import WIDTH
from compactvl.studies.gating.report.figures.colours import GATE_COLOURS, gate_bar, gate_scale
from compactvl.studies.gating.report.results import GatingResults
from compactvl.studies.gating.report.words import gate_words

IMAGE, GAP, LEFT = 0.85, 0.12, 1.0
"""Inches: an image's side, between rows, and where the words begin."""
LINE, SPACE, PADDING = 0.42, 0.09, 0.05
"""Inches: from line to line of words, between words, and around a word."""
FOOT = 0.62
FONT = 10.5


def coloured_captions(
    study: GatingResults, *, variant: str, dataset: CanonicalSet | None, examples: int = 6
) -> Figure | NotRun:
    """Draw captions of the test images, drawn at random from the half with most words; one an image.

    The small number under a word is its gate; the colours span the gates of all words measured, not of these only.

    Args:
        dataset: canonical set that has the images; ``None`` when it is not on disk. examples: how many, at most.
    """
    words = gate_words(study, variant)
    if words is None:
        return NotRun(f"the gates of {study.label(variant)} were not measured")
    if dataset is None:
        return NotRun("the data set's images are not on disk")
    chosen = _choose(words, dataset, examples, np.random.default_rng(0))
    if not chosen:
        return NotRun("the captions' images are not in the data set")
    scale = gate_scale(words["gate"].to_numpy())
    height = len(chosen) * (IMAGE + GAP) + FOOT
    figure = page(WIDTH, height)
    for row, caption in enumerate(chosen):
        top = row * (IMAGE + GAP)
        put_picture(figure, picture(dataset, str(caption["image_id"].iloc[0])), 0, top, IMAGE)
        _write(figure, caption, scale, top + 0.24, height)
    place = figure.add_axes((LEFT / WIDTH, 0.4 / height, 0.6, 0.12 / height))
    gate_bar(figure, scale, cax=place, orientation="horizontal")
    return figure


def _choose(words: pd.DataFrame, dataset: CanonicalSet, examples: int, rng: np.random.Generator) -> list[pd.DataFrame]:
    known = words[words["image_id"].isin(set(dataset.images["image_id"]))]
    if known.empty:
        return []
    lengths = known.groupby("item_id", sort=True).agg(words=("position", "size"), image=("image_id", "first"))
    longest = lengths.sort_values("words", ascending=False, kind="stable").drop_duplicates("image")
    longest = longest.head(max(examples, len(longest) // 2)).sort_index()
    ids = rng.choice(longest.index.to_numpy(dtype=object), min(examples, len(longest)), replace=False)
    return [known[known["item_id"] == i].sort_values("position") for i in ids]


def _write(figure: Figure, caption: pd.DataFrame, scale: object, top: float, height: float) -> None:
    """Set a caption's words from left to right, in inches, and on to the next line where the page ends."""
    renderer = figure.canvas.get_renderer()
    x, y = LEFT, top
    for row in caption.itertuples():
        word = textwrap.shorten(str(row.word), 30, placeholder="…") or str(row.word)
        text = figure.text(0, 0, word, fontsize=FONT, va="center", ha="left", color="black", zorder=3)
        wide = text.get_window_extent(renderer).width / figure.dpi + 2 * PADDING
        if x + wide > WIDTH and x > LEFT:
            x, y = LEFT, y + LINE
        text.set_position(((x + PADDING) / WIDTH, 1 - y / height))
        box = plt.Rectangle(
            (x / WIDTH, 1 - (y + 0.11) / height), wide / WIDTH, 0.22 / height, transform=figure.transFigure,
            facecolor=GATE_COLOURS(scale(row.gate)), edgecolor="none", zorder=2,
        )  # fmt: skip
        figure.add_artist(box)
        figure.text(
            (x + wide / 2) / WIDTH, 1 - (y + 0.135) / height, f"{row.gate:.2f}", fontsize=6, va="top", ha="center",
            color="#555555",
        )  # fmt: skip
        x += wide + SPACE
