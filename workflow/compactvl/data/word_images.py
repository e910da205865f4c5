"""The data set ``word_images``: one word written in a picture, to be read.

Words are nouns of four to six letters that look alike in part. Each picture draws a font of matplotlib's (DejaVu, eight faces),
a height, a place, a slant, and the colours of ink and paper anew; every split has all words and all faces.

Items: item_id, image_id, split, question, answer (the word), type (``word``), font.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from compactvl.data.blind import blind_scores
from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split, majority, pick
from compactvl.data.kinds.word_images import Settings
from compactvl.data.pixels import encode_png
from compactvl.progress import track

WORDS = [
    "bread", "beard", "board", "broad", "house", "horse", "mouse", "moose", "table", "cable", "maple", "apple",
    "river", "liver", "lemon", "melon", "stone", "store", "score", "shore", "plane", "plant", "plate", "place",
    "chair", "chain", "train", "brain", "light", "night", "fight", "right", "paper", "pepper", "water", "waiter",
    "money", "honey", "monkey", "donkey", "clock", "block", "cloud", "blood", "green", "queen", "glass", "grass",
    "snake", "snack", "shelf", "shell", "smoke", "spoke", "spoon", "moon", "sugar", "cigar", "ocean", "clean",
    "tiger", "timer",
]  # fmt: skip
FACES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSerif",
    "DejaVuSerif-Bold", "DejaVuSerif-Italic",
)  # fmt: skip
QUESTIONS = ("which word is written here ?", "what does it say ?", "which word is this ?")
INKS = ("#1a1a1a", "#123a7a", "#7a1a1a", "#1a5a2a", "#5a2a7a")
PAPERS = ("#ffffff", "#fdf1dc", "#e3f1fb", "#e6f6e4", "#fbe6ea", "#ececec")
HEIGHTS = (0.14, 0.26)
"""Least and most height of the letters, of the image's."""
MOST_WIDTH = 0.94
SLANT = 8.0
"""Most degrees a word is turned."""


def curate(settings: Settings, job: Curation) -> None:
    """Make the data set ``word_images``; see :meth:`compactvl.data.kind.DataKind.curate`."""
    rng = np.random.default_rng([settings.seed, 31])
    words = WORDS[: settings.words]
    items = [
        {
            "item_id": f"{split}-{word}-{k}", "image_id": f"{split}-{word}-{k}", "split": split,
            "question": pick(QUESTIONS, rng), "answer": word, "type": "word", "font": pick(FACES, rng),
        }
        for split in SPLITS
        for word in words
        for k in range(getattr(settings.renders, split))
    ]  # fmt: skip

    def rows() -> Iterator[ImageRow]:
        for item in track(items, unit="image", label=f"render {job.name}"):
            picture = write_word(item["answer"], item["font"], settings.image_size, rng)
            yield ImageRow(item["image_id"], encode_png(picture), item["split"])

    table = pd.DataFrame(items)
    job.write(
        settings,
        table,
        rows(),
        answers=words,
        types=by_split(table, "type", len),
        majority=majority(table),
        blind=blind_scores(table, "question", "answer"),
    )
    job.audit(compare=("image",))


def write_word(word: str, face: str, side: int, rng: np.random.Generator) -> Image.Image:
    """Draw a word in a square image of ``side`` pixels, wholly inside it."""
    size = round(side * rng.uniform(*HEIGHTS))
    ink, paper, turn = pick(INKS, rng), pick(PAPERS, rng), float(rng.uniform(-SLANT, SLANT))
    while True:
        left, top, right, bottom = font(face, size).getbbox(word)
        label = Image.new("L", (right - left + 2, bottom - top + 2))
        ImageDraw.Draw(label).text((1 - left, 1 - top), word, fill=255, font=font(face, size))
        label = label.rotate(turn, resample=Image.Resampling.BICUBIC, expand=True)
        if max(label.size) <= MOST_WIDTH * side:
            break
        size -= 1
    x, y = (int(rng.integers(side - extent + 1)) for extent in label.size)
    canvas = Image.new("RGB", (side, side), paper)
    canvas.paste(Image.new("RGB", label.size, ink), (x, y), label)
    return canvas


@cache
def font(face: str, size: int) -> ImageFont.FreeTypeFont:
    """Return one of matplotlib's fonts."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts", "ttf", f"{face}.ttf")), size)
