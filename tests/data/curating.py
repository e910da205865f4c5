"""Data sets made as the stage makes them, from settings as a user writes them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compactvl.config.base import validate
from compactvl.config.kinds import DATA_KINDS, find_kind
from compactvl.config.sources import SourceSettings
from compactvl.data.canonical import CanonicalSet
from compactvl.data.curate import Curation, curate
from compactvl.data.kind import DataKind
from compactvl.files import sha256_file
from compactvl.records.layout import Layout


def settings_of(name: str, body: Mapping[str, Any]) -> DataKind:
    """Validate settings as their kind says."""
    return validate(find_kind(DATA_KINDS, body["kind"]), body, f"datasets.{name}")


def make(
    root: Path, name: str, body: Mapping[str, Any], archives: Mapping[str, Path] | None = None, suffix: str = "tgz"
) -> CanonicalSet:
    """Curate a data set below ``root`` from archives by the name of their source; returns it opened."""
    layout = Layout(root)
    layout.sources.mkdir(parents=True, exist_ok=True)
    sources = {}
    for source, archive in (archives or {}).items():
        link = layout.source(f"{source}.{suffix}")
        link.unlink(missing_ok=True)
        link.symlink_to(archive)
        sources[source] = SourceSettings(
            client="npm", package="p", version="1", file=link.name, sha256=sha256_file(archive), licence="?",
            attribution="?",
        )  # fmt: skip
    curate(settings_of(name, body), Curation(name, layout, sources))
    return CanonicalSet.open(layout.dataset(name))


def is_made(root: Path) -> bool:
    """Whether any data set below ``root`` is complete."""
    return any(root.rglob("manifest.json"))
