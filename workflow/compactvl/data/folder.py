"""A user's own images with captions, as a data set by config alone."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

from compactvl.config.datasets import FolderSettings, SplitRatios
from compactvl.data.captioned import SPLITS, CaptionedImage, write_captioned
from compactvl.data.captions_csv import read_captions_csv
from compactvl.data.karpathy import read_karpathy
from compactvl.errors import UserError
from compactvl.files import sha256_file


def curate_folder(name: str, settings: FolderSettings, folder: Path) -> None:
    """Make a canonical data set from an image folder with ``captions.csv`` or a Karpathy-style JSON file.

    Raises:
        UserError: a bad captions file, an unreadable image, an empty split, or one image in two splits.
    """
    images = Path(settings.path)
    if not images.is_dir():
        raise UserError(f"the folder {images} is missing (datasets.{name}.path); give the folder of your images")
    source = images / (settings.captions or settings.karpathy or "")
    records = read_captions_csv(source, images) if settings.captions else _karpathy(source, images)
    if records[0].split is None:
        records = [
            replace(record, split=split_by_ratio(record.image_id, settings.ratios, settings.seed)) for record in records
        ]
    counts = Counter(record.split for record in records)
    empty = [split for split in settings.splits if not counts[split]]
    if empty:
        raise UserError(
            f"datasets.{name}: split {empty[0]!r} has no images ({len(records)} images in all); "
            "add images, change ratios, or take it out of 'splits'"
        )
    write_captioned(
        folder, name, records, max_side=settings.max_side, quality=settings.jpeg_quality,
        settings=settings.model_dump(mode="json", exclude={"path"}), inputs={source.name: sha256_file(source)},
    )  # fmt: skip


def split_by_ratio(image_id: str, ratios: SplitRatios, seed: int) -> str:
    """Return an image's split from a seeded hash of its id: adding images moves no other image."""
    digest = hashlib.sha256(f"{seed}:{image_id}".encode()).digest()
    draw = int.from_bytes(digest[:8], "big") / 2**64
    for split in SPLITS[:-1]:
        draw -= getattr(ratios, split)
        if draw < 0:
            return split
    return "test" if ratios.test > 0 else "val" if ratios.val > 0 else "train"


def _karpathy(source: Path, images: Path) -> list[CaptionedImage]:
    records = []
    for record in read_karpathy(source, images):
        # Karpathy's own folders hold the files either directly or in images/.
        path = next(
            (p for p in (record.path, images / "images" / record.path.relative_to(images)) if p.is_file()), None
        )
        if path is None:
            raise UserError(f"{source}: captions of unknown image {record.image_id!r}: {record.path} is missing")
        records.append(replace(record, path=path))
    return records
