"""Photographs with texts that have one of a fixed list of answers: what the settings of those kinds have in common.

Their files are read as their owners distribute them; :mod:`compactvl.data.answered_items` makes the set.
"""

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.data.kind import FilePath, PhotoKind


class SplitFiles(Strict):
    """One file a split. A split that has none is not in the data set."""

    train: FilePath | None = Field(None, description="File of the training items.")
    val: FilePath | None = Field(None, description="File of the validation (development) items.")
    test: FilePath | None = Field(None, description="File of the test items.")

    @model_validator(mode="after")
    def _some(self) -> "SplitFiles":
        if not self.paths():
            raise ValueError("give the file of one split or more: train, val, test")
        return self

    def paths(self) -> dict[str, str]:
        """Return split → file of the splits that have one, in the order train, val, test."""
        return {split: path for split, path in (("train", self.train), ("val", self.val), ("test", self.test)) if path}


class AnsweredPhotos(PhotoKind):
    """Base of the kinds of items whose answers are listed in the manifest (``answers``), with the photographs they name."""

    holds = frozenset({"images", "answers"})
    image_folder = "images"
    unrecorded = frozenset({"images", "questions", "annotations", "how_to_get"})

    images: FilePath = Field(description="Folder of the images, with the sub-folders they are distributed in.")
    how_to_get: str = Field(min_length=1, description="Where the files come from; shown when one is missing.")


class LabelledPhotos(AnsweredPhotos):
    """Base of the kinds that are one JSON object a line, with a label each."""

    annotations: SplitFiles = Field(description="File of each split, one JSON object a line.")

    def own_files(self) -> list[tuple[str, str]]:
        """Return the file of each split."""
        return [(f"annotations.{split}", path) for split, path in self.annotations.paths().items()]
