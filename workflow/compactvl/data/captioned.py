"""Captioned images on disk, as the readers of public formats give them, and the step from there to a canonical set."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS
from compactvl.data.kind import PhotoKind
from compactvl.data.photos import read_photo
from compactvl.data.user_files import one_line
from compactvl.errors import UserError
from compactvl.files import sha256_bytes, sha256_file
from compactvl.progress import track

log = logging.getLogger(__name__)
SPLIT_NAMES = {"train": "train", "restval": "train", "val": "val", "validation": "val", "dev": "val", "test": "test"}


@dataclass(frozen=True)
class CaptionedImage:
    """One image file with its captions: (item id, caption) pairs. ``split`` is ``None`` where the source has none."""

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


def clean_caption(text: str, image_id: str, where: str) -> str:
    """Return a caption, its words separated by single spaces.

    Raises:
        UserError: it has a NUL character, or nothing is left of it once punctuation is removed, as text models do.
    """
    caption = one_line(text, f"{where}: caption of {image_id!r}")
    if not any(character.isalnum() for character in caption):
        raise UserError(f"{where}: caption {caption!r} of {image_id!r} has no words; write one or take it out")
    return caption


def write_captioned(
    job: Curation, settings: PhotoKind, records: Sequence[CaptionedImage], *, refuse_leaks: bool = True
) -> None:
    """Read, re-encode and write all images and captions as a canonical data set, splits in the order train, val, test.

    Images are compared between splits twice: their files before anything is read, and the pictures as they are stored,
    which differ in no metadata. Where leaks are not refused, the manifest lists them as ``in_two_splits``.

    Raises:
        UserError: an unreadable image, or one in two splits; names it.
    """
    if refuse_leaks:
        _check_files(job.name, records)
    leaks: dict[str, str] = {}
    stored: dict[str, CaptionedImage] = {}
    ordered = sorted(records, key=lambda record: SPLITS.index(record.split or "train"))
    items = pd.DataFrame(
        [
            {"item_id": item_id, "image_id": record.image_id, "split": record.split, "caption": caption, "pos": ""}
            for record in ordered
            for item_id, caption in record.captions
        ]
    )

    def rows() -> Iterator[ImageRow]:
        for record in track(ordered, unit="image", label=f"read {job.name}"):
            data = read_photo(record.path, max_side=settings.max_side, quality=settings.jpeg_quality)
            first = stored.setdefault(sha256_bytes(data), record)
            if first.split != record.split:
                leaks[record.image_id] = first.image_id
                if refuse_leaks:
                    raise _leak(job.name, first, record)
            yield ImageRow(record.image_id, data, record.split or "train")
        if leaks:
            log.warning(
                "data set %s: %d images are in two splits, e.g. %s and %s", job.name, len(leaks), *min(leaks.items())
            )

    job.write(settings, items, rows(), **({} if refuse_leaks else {"in_two_splits": leaks}))


def _check_files(name: str, records: Sequence[CaptionedImage]) -> None:
    """Refuse equal files in different splits; only files of equal size are read."""
    by_size: dict[int, list[CaptionedImage]] = {}
    for record in records:
        by_size.setdefault(record.path.stat().st_size, []).append(record)
    for alike in by_size.values():
        if len({record.split for record in alike}) > 1:
            seen: dict[str, CaptionedImage] = {}
            for record in alike:
                first = seen.setdefault(sha256_file(record.path), record)
                if first.split != record.split:
                    raise _leak(name, first, record)


def _leak(name: str, one: CaptionedImage, other: CaptionedImage) -> UserError:
    return UserError(
        f"data set {name!r} leaks: the same image in two splits, {one.path} ({one.split}) and {other.path} ({other.split}); "
        "put both in one split or take one out"
    )
