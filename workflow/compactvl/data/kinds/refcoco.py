"""RefCOCO: expressions that mean one object of a photograph (:mod:`compactvl.data.refcoco`)."""

from typing import Literal

from pydantic import Field

from compactvl.data.kind import DataKind, FilePath


class Settings(DataKind):
    """RefCOCO, RefCOCO+ or RefCOCOg as its authors distribute it, with COCO's boxes as candidates."""

    holds = frozenset({"images", "boxes"})
    image_folder = "images"
    unrecorded = frozenset({"images", "refs", "instances", "how_to_get"})

    kind: Literal["refcoco"] = Field(
        description="RefCOCO's refs(<split by>).p, and the annotations of COCO's train2014."
    )
    images: FilePath = Field(description="Folder of COCO's train2014 images.")
    refs: FilePath = Field(description="The file refs(unc).p, a pickle of plain lists and dictionaries.")
    instances: FilePath = Field(description="The file instances.json that comes with it: COCO's boxes of these images.")
    how_to_get: str = Field(min_length=1, description="Where the files come from; shown when one is missing.")
    jpeg_quality: int = Field(95, ge=50, le=100, description="Quality of re-encoded photographs.")
    most_boxes: int = Field(42, ge=2, description="Images with more candidates are refused (the platform's 42).")

    def own_files(self) -> list[tuple[str, str]]:
        """Return both files."""
        return [("refs", self.refs), ("instances", self.instances)]
