"""Flickr30k or COCO with Karpathy's split file, as their owners distribute them."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from compactvl.data.curate import Curation
from compactvl.data.kind import DataKind, FilePath
from compactvl.errors import UserError


class Settings(DataKind):
    """Flickr30k or COCO with Karpathy's split file, as their owners distribute them."""

    holds = frozenset({"images", "captions", "captioned_images"})
    image_folder = "images"

    kind: Literal["karpathy"] = Field(description="Flickr30k or COCO, Karpathy split.")
    images: FilePath = Field(description="Folder of the images; filepath of the JSON file is looked up below it.")
    annotations: FilePath = Field(description="Karpathy's dataset_<name>.json.")
    how_to_get: str = Field(min_length=1, description="Where the files come from; shown when one is missing.")
    max_side: int | None = Field(
        None, ge=32, description="Longer side in pixels to shrink larger images to; null keeps them."
    )
    jpeg_quality: int = Field(95, ge=50, le=100, description="Quality of re-encoded photographs.")

    def own_files(self) -> list[tuple[str, str]]:
        """Return the split file."""
        return [("annotations", self.annotations)]

    def curate(self, job: Curation) -> None:
        """Make a canonical data set from Flickr30k or COCO as their owners distribute them.

        An image that is in two of their splits is counted in the manifest (``in_two_splits``), not refused: the split
        is the published one.

        Raises:
            UserError: an image that is missing (says where to get it), or a damaged file.
        """
        from compactvl.data.captioned import write_captioned
        from compactvl.data.karpathy import read_karpathy

        annotations, images = Path(self.annotations), Path(self.images)
        records = read_karpathy(annotations, images)
        if records[0].split is None:
            raise UserError(f"{annotations} has no splits; for images of your own use kind folder ({job.place}.kind)")
        missing = [record.path for record in records if not record.path.is_file()]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(records)} images are missing below {images} ({job.place}.images), "
                f"the first is {missing[0]}. {self.how_to_get}"
            )
        write_captioned(job, self, records, max_side=self.max_side, quality=self.jpeg_quality, refuse_leaks=False)
