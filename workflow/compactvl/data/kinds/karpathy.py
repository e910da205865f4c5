"""Flickr30k or COCO with Karpathy's split file, as their owners distribute them."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from compactvl.data.curate import Curation
from compactvl.data.kind import FilePath, PhotoKind
from compactvl.data.user_files import spelt_otherwise
from compactvl.errors import UserError


class Settings(PhotoKind):
    """Flickr30k or COCO with Karpathy's split file, as their owners distribute them."""

    image_folder = "images"

    kind: Literal["karpathy"] = Field(description="Flickr30k or COCO, Karpathy split.")
    images: FilePath = Field(description="Folder of the images; filepath of the JSON file is looked up below it.")
    annotations: FilePath = Field(description="Karpathy's dataset_<name>.json.")
    how_to_get: str = Field(min_length=1, description="Where the files come from; shown when one is missing.")

    def own_files(self) -> list[tuple[str, str]]:
        """Return the split file."""
        return [("annotations", self.annotations)]

    def curate(self, job: Curation) -> None:
        """See :meth:`DataKind.curate`.

        An image that is in two of their splits is told in the manifest (``in_two_splits``), not refused: the split is the
        published one.
        """
        from compactvl.data.captioned import write_captioned
        from compactvl.data.karpathy import read_karpathy

        annotations, images = Path(self.annotations), Path(self.images)
        records = read_karpathy(annotations, images)
        if records[0].split is None:
            raise UserError(f"{annotations} has no splits; for images of your own use kind folder ({job.place}.kind)")
        missing = [record.path for record in records if not os.path.isfile(record.path)]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(records)} images are missing below {images} ({job.place}.images), "
                f"the first is {missing[0]}{spelt_otherwise(missing[0])}. {self.how_to_get}"
            )
        write_captioned(job, self, records, refuse_leaks=False)
