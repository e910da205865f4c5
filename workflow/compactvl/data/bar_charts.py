"""The data set ``bar_charts``: three to five coloured bars over an axis with a line at every fourth value.

    tallest   "which bar is the tallest ?"      its colour
    height    "how tall is the tallest bar ?"   its value, 2, 3, ... to the axis' end

The tallest bar is alone at its height; colours and values are drawn evenly. Bars differ in width, axes in place.

Items: item_id, image_id, split, question, answer, type.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from compactvl.data.blind import blind_scores
from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split, majority, pick
from compactvl.data.kinds.bar_charts import Settings
from compactvl.data.pixels import encode_png
from compactvl.progress import track

COLOURS = {
    "red": "#d62728", "blue": "#1f77b4", "green": "#2ca02c", "yellow": "#e8c500", "purple": "#9467bd", "brown": "#8c564b",
}  # fmt: skip
TALLEST = ("which bar is the tallest ?", "what colour has the tallest bar ?")
HEIGHT = ("how tall is the tallest bar ?", "what is the value of the tallest bar ?")
LEAST, LINE_EVERY = 2, 4
Bars = list[tuple[str, int]]
"""Colour and value of each, left to right."""


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``bar_charts``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    rng = np.random.default_rng([settings.seed, 32])
    values = list(range(LEAST, settings.highest + 1))
    charts, items = [], []
    for split in SPLITS:
        number = getattr(settings.charts, split)
        colours, heights = (_evenly(options, number, rng) for options in (list(COLOURS), values))
        for k, (colour, height) in enumerate(zip(colours, heights, strict=True)):
            image_id = f"{split}-{k:04d}"
            charts.append((image_id, split, draw_bars(colour, height, rng)))
            asked = (("tallest", TALLEST, colour), ("height", HEIGHT, str(height)))
            items += [
                {
                    "item_id": f"{image_id}-{kind}", "image_id": image_id, "split": split,
                    "question": pick(forms, rng), "answer": answer, "type": kind,
                }
                for kind, forms, answer in asked
            ]  # fmt: skip

    def rows() -> Iterator[ImageRow]:
        for image_id, split, bars in track(charts, unit="image", label=f"render {job.name}"):
            picture = draw_chart(bars, settings.highest, settings.image_size, rng)
            yield ImageRow(image_id, encode_png(picture), split)

    table = pd.DataFrame(items)
    job.write(
        settings,
        table,
        rows(),
        answers=[*COLOURS, *map(str, values)],
        types=by_split(table, "type", len),
        majority=majority(table),
        blind=blind_scores(table, "question", "answer"),
    )
    job.audit(compare=("image",))


def draw_bars(colour: str, height: int, rng: np.random.Generator) -> Bars:
    """Draw the bars of a chart whose tallest is of a colour and a height; the others are lower."""
    others = [name for name in COLOURS if name != colour]
    number = int(rng.integers(2, 5))
    lower = [(others[i], int(rng.integers(1, height))) for i in rng.permutation(len(others))[:number]]
    lower.insert(int(rng.integers(number + 1)), (colour, height))
    return lower


def draw_chart(bars: Bars, highest: int, side: int, rng: np.random.Generator) -> Image.Image:
    """Draw a chart in a square image of ``side`` pixels; the axis' end is ``highest``."""
    canvas = Image.new("RGB", (side, side), "#ffffff")
    draw = ImageDraw.Draw(canvas)
    left, bottom = (round(side * rng.uniform(low, high)) for low, high in ((0.06, 0.16), (0.86, 0.95)))
    right, top = round(0.97 * side), round(0.05 * side)
    unit = (bottom - top) / highest
    for value in range(LINE_EVERY, highest + 1, LINE_EVERY):
        y = round(bottom - value * unit)
        draw.line((left, y, right, y), fill="#c8c8c8")
    pitch = (right - left) / len(bars)
    width = pitch * rng.uniform(0.5, 0.85)
    for k, (colour, value) in enumerate(bars):
        x = left + (k + 0.5) * pitch - width / 2
        draw.rectangle((round(x), round(bottom - value * unit), round(x + width), bottom), fill=COLOURS[colour])
    draw.line((left, top, left, bottom), fill="#000000", width=2)
    draw.line((left, bottom, right, bottom), fill="#000000", width=2)
    return canvas


def _evenly(options: list, number: int, rng: np.random.Generator) -> list:
    """Draw ``number`` options, each as often as any other or once more."""
    rounds = -(-number // len(options))
    drawn = [options[i] for _ in range(rounds) for i in rng.permutation(len(options))]
    return drawn[:number]
