"""Captioned images on disk, as the readers of public formats give them, and the step from there to a canonical set."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.data.canonical import ImageRow, write_set
from compactvl.data.photos import read_photo
from compactvl.errors import UserError
from compactvl.progress import track

SPLITS = ("train", "val", "test")
SPLIT_NAMES = {"train": "train", "restval": "train", "val": "val", "validation": "val", "dev": "val", "test": "test"}


@dataclass(frozen=True)
class CaptionedImage:
    """One image file with its captions.

    Attributes:
        image_id: unique within its set.
        path: the file.
        split: train, val or test; ``None`` where the source has no splits.
        captions: (item id, caption) pairs, not empty.
    """

    image_id: str
    path: Path
    split: str | None
    captions: tuple[tuple[str, str], ...]


def split_name(value: str, where: str) -> str:
    """Return train, val or test for a source's name of a split; Karpathy's ``restval`` is training data.

    Raises:
        UserError: an unknown name; ``where`` says where it stands.
    """
    try:
        return SPLIT_NAMES[value.strip().lower()]
    except KeyError:
        raise UserError(f"{where}: unknown split {value!r}; use one of {', '.join(SPLIT_NAMES)}") from None


def has_words(caption: str) -> bool:
    """Whether anything of a caption is left once punctuation is removed, as text models do."""
    return any(character.isalnum() for character in caption)


def write_captioned(
    folder: Path,
    name: str,
    records: Sequence[CaptionedImage],
    *,
    max_side: int | None,
    quality: int,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
) -> None:
    """Read, re-encode and write all images and captions as a canonical data set, splits in the order train, val, test.

    Raises:
        UserError: an unreadable image; names it.
    """
    started = time.monotonic()
    ordered = sorted(records, key=lambda record: SPLITS.index(record.split or "train"))
    items = pd.DataFrame(
        [
            {"item_id": item_id, "image_id": record.image_id, "split": record.split, "caption": caption, "pos": ""}
            for record in ordered
            for item_id, caption in record.captions
        ]
    )

    def rows() -> Iterator[ImageRow]:
        for record in track(ordered, unit="image", label=f"read {name}", total=len(ordered)):
            yield ImageRow(
                record.image_id, read_photo(record.path, max_side=max_side, quality=quality), record.split or "train"
            )

    write_set(folder, name, rows(), items, settings=settings, inputs=inputs, started=started)
