"""A user's own images with captions, as a data set by config alone."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from compactvl.data.curate import Curation
from compactvl.data.kind import PhotoKind
from compactvl.data.ratios import SplitRatios
from compactvl.data.user_files import spelt_otherwise
from compactvl.errors import UserError

if TYPE_CHECKING:
    from compactvl.data.captioned import CaptionedImage


class Settings(PhotoKind):
    """A folder of one's own images with captions."""

    image_folder = "path"
    unrecorded = frozenset({"path"})

    kind: Literal["folder"] = Field(description="Own images with captions.")
    path: str = Field(min_length=1, description="Folder of the images, of any format Pillow reads.")
    captions: str | None = Field(
        None, description="CSV file (UTF-8) with columns image, caption and perhaps split; relative to path."
    )
    karpathy: str | None = Field(None, description="Karpathy-style JSON file instead of a CSV file; relative to path.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Split shares where the file gives no split.")
    seed: int = Field(0, ge=0, description="Seed of the split by image name.")
    splits: tuple[Literal["train", "val", "test"], ...] = Field(
        ("train", "val", "test"), description="Splits that must not be empty; () allows any."
    )

    @model_validator(mode="after")
    def _one_file(self) -> "Settings":
        if (self.captions is None) == (self.karpathy is None):
            raise ValueError("give exactly one of captions (a CSV file) and karpathy (a JSON file)")
        return self

    def own_files(self) -> list[tuple[str, str]]:
        """Return the file of the captions."""
        field = "karpathy" if self.captions is None else "captions"
        return [(field, str(Path(self.path, getattr(self, field))))]

    def curate(self, job: Curation) -> None:
        """See :meth:`DataKind.curate`; an empty split and one image in two splits are refused."""
        from compactvl.data.captioned import write_captioned
        from compactvl.data.captions_csv import read_captions_csv
        from compactvl.data.karpathy import read_karpathy

        images, source = Path(self.path), Path(self.own_files()[0][1])
        if self.captions is not None:
            records = read_captions_csv(source, images)
        else:
            records = [_found(record, source, images) for record in read_karpathy(source, images)]
        if records[0].split is None:
            records = [replace(record, split=self.ratios.split_of(record.image_id, self.seed)) for record in records]
        counts = Counter(record.split for record in records)
        empty = [split for split in self.splits if not counts[split]]
        if empty:
            raise UserError(
                f"{job.place}: split {empty[0]!r} has no images ({len(records)} images in all); "
                "add images, change ratios, or take it out of 'splits'"
            )
        write_captioned(job, self, records)


def _found(record: "CaptionedImage", source: Path, images: Path) -> "CaptionedImage":
    """Return a record with its file: Karpathy's own folders hold it either directly or in ``images/``."""
    for path in (record.path, images / "images" / record.path.relative_to(images)):
        if os.path.isfile(path):
            return replace(record, path=path)
    raise UserError(
        f"{source}: captions of unknown image {record.image_id!r}: {record.path} is missing{spelt_otherwise(record.path)}"
    )
