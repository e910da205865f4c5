"""The stage ``curate``: settings, sources and files → a canonical data set, as the kind of data set says."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compactvl.config.base import did_you_mean
from compactvl.config.sources import SourceSettings
from compactvl.data.sources import source_hash
from compactvl.errors import UserError
from compactvl.files import only_writer
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made

if TYPE_CHECKING:
    import pandas as pd

    from compactvl.data.canonical import CanonicalSet, ImageRow
    from compactvl.data.kind import DataKind


@dataclass(frozen=True)
class Curation:
    """The making of one data set from ``sources``; what it reads is checked."""

    name: str
    layout: Layout
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    made: Made = field(default_factory=lambda: Made("curate", ""))

    @property
    def place(self) -> str:
        """Return the data set's place in the config, for messages."""
        return f"datasets.{self.name}"

    def archive(self, source: str) -> Path:
        """Return a source's archive.

        Raises:
            UserError: there is no such source, or its archive is missing or not the pinned one.
        """
        if source not in self.sources:
            raise UserError(
                f"{self.place}: there is no source {source!r} in the config{did_you_mean(source, self.sources)}"
            )
        path = self.layout.source(self.sources[source].file)
        source_hash(path, self.sources[source])
        return path

    def open_set(self, name: str, setting: str, kind: str) -> "CanonicalSet":
        """Return a data set this one is made from.

        Raises:
            UserError: it is not there, or not of ``kind``; ``setting`` is the one that names it.
        """
        from compactvl.data.canonical import CanonicalSet

        base = CanonicalSet.open(self.layout.dataset(name))
        if base.manifest["settings"].get("kind") != kind:
            raise UserError(f"{self.place}.{setting}: {base.name!r} is not a data set of kind {kind}; name one that is")
        return base

    def write(
        self, settings: "DataKind", items: "pd.DataFrame", images: "Iterable[ImageRow]" = (), **facts: Any
    ) -> None:
        """Write the data set; see :func:`compactvl.data.canonical.write_set`."""
        from compactvl.data.canonical import write_set

        recorded = settings.model_dump(mode="json", exclude=set(settings.unrecorded))
        write_set(self.layout.dataset(self.name), self.name, images, items, self.made, settings=recorded, **facts)

    def audit(self, **compared: Any) -> None:
        """Check that the splits of the set that was written share nothing; see :func:`compactvl.data.audit.audit_splits`.

        Raises:
            UserError: they do; the set then has no manifest.
        """
        from compactvl.data.audit import audit_splits
        from compactvl.data.canonical import CanonicalSet

        folder = self.layout.dataset(self.name)
        done = CanonicalSet.open(folder)
        try:
            audit_splits(self.name, done.images, done.items, **compared)
        except UserError:
            (folder / MANIFEST).unlink()
            raise


def curate(settings: "DataKind", job: Curation) -> None:
    """Make the data set of a job, in its folder.

    Raises:
        UserError: a source or file is missing or not the pinned one; or what the kind's own reader finds wrong.
    """
    if problems := settings.missing(job.place):
        raise UserError("\n".join(problems))
    folder = job.layout.dataset(job.name)
    with only_writer(folder), _nothing_left_behind(folder):
        settings.curate(job)


@contextlib.contextmanager
def _nothing_left_behind(folder: Path) -> Iterator[None]:
    """Remove the files that were added to ``folder`` when what was to be made there is refused."""
    before = set(folder.iterdir())
    try:
        yield
    except UserError:
        for path in set(folder.iterdir()) - before:
            path.unlink()
        raise
