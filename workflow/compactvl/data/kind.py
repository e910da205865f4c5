"""What every kind of data set is: its settings, what it is made from, what it holds, and how it is made."""

import importlib
import os
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.config.references import named
from compactvl.data.curate import Curation
from compactvl.errors import UserError

Count = Annotated[int, Field(ge=1)]
FilePath = Annotated[str, Field(min_length=1)]


class DataKind(Strict):
    """Base of the settings of a kind of data set: the class ``Settings`` of ``data/kinds/<kind>.py``.

    The sources and the data sets it is made from are the settings that are a ``Ref`` to one.
    """

    holds: ClassVar[frozenset[str]] = frozenset()
    """What its items are: what a ``Ref("datasets", ...)`` asks for, besides the kind's own name."""
    reads_archives_of_sets: ClassVar[bool] = False
    """Whether it is also made from the sources of the sets it is made from."""
    image_folder: ClassVar[str | None] = None
    """The setting that is the user's own folder of images, whose listing counts as content."""
    unrecorded: ClassVar[frozenset[str]] = frozenset()
    """Settings that the set's record leaves out: where the user's own files are, which changes no outcome."""

    kind: str

    @property
    def sources(self) -> list[str]:
        """Names of the sources it is made from."""
        return named(self, "sources")

    @property
    def sets(self) -> list[str]:
        """Names of the data sets that must be curated before this one."""
        return named(self, "datasets")

    def own_files(self) -> list[tuple[str, str]]:
        """Return (setting that names it, path) of each of the user's own files it is made from; some may be missing."""
        return []

    def own_folder(self) -> str | None:
        """Return the user's own folder of images, or ``None``."""
        return self.image_folder and getattr(self, self.image_folder)

    def missing(self, place: str) -> list[str]:
        """Return one line for each of the user's own files and folders that is not there, with where to get it."""
        remedy = " ".join(getattr(self, "how_to_get", "put it there, or change the setting").split())
        lacking = [(field, path) for field, path in self.own_files() if not os.path.isfile(path)]
        if (folder := self.own_folder()) is not None and not os.path.isdir(folder):
            lacking.insert(0, (self.image_folder, f"the folder {folder}"))
        return [f"{place}.{field}: {path} is missing: {remedy}" for field, path in lacking]

    def curate(self, job: Curation) -> None:
        """Make the data set: read what it is made from by ``job``, and end with ``job.write``.

        Where a kind has no such method of its own, ``curate(settings, job)`` of the module ``data/<kind>.py`` does it.

        Raises:
            UserError: what is wrong with its settings or with what it is made from.
        """
        importlib.import_module(f"compactvl.data.{self.kind}").curate(self, job)


class PhotoKind(DataKind):
    """Base of the kinds that store photographs with captions."""

    holds = frozenset({"images", "captions", "captioned_images"})

    max_side: int | None = Field(
        None, ge=32, description="Longer side in pixels to shrink larger images to; null keeps them."
    )
    jpeg_quality: int = Field(95, ge=50, le=100, description="Quality of re-encoded photographs.")


def files_in(path: str, *patterns: str) -> list[str]:
    """Return the files of a folder that fit one of the patterns, sorted by name; or ``path`` itself if it is no folder.

    Hidden files are left out: a Mac's ``._name`` beside each file is none. Where there are none, a path with the patterns
    stands for them: it is missing.

    Raises:
        UserError: a name that is not UTF-8, which no table can hold.
    """
    if not os.path.isdir(path):
        return [path]
    found = {file for pattern in patterns for file in Path(path).glob(pattern) if os.path.isfile(file)}
    files = sorted(str(file) for file in found if not file.name.startswith("."))
    for file in files:
        if (shown := file.encode("utf-8", "backslashreplace").decode()) != file:
            raise UserError(f"the name of the file {shown} is not UTF-8; rename it")
    return files or [os.path.join(path, " or ".join(patterns))]
