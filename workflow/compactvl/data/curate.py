"""The stage ``curate``: settings and sources → a canonical data set."""

from collections.abc import Mapping

from compactvl.config.base import did_you_mean
from compactvl.config.datasets import (
    DatasetSettings,
    FolderSettings,
    KarpathySettings,
    NamesSettings,
    ScenesSettings,
    SwapsSettings,
)
from compactvl.config.sources import SourceSettings
from compactvl.data.canonical import CanonicalSet
from compactvl.data.folder import curate_folder
from compactvl.data.karpathy import curate_karpathy
from compactvl.data.names import curate_names
from compactvl.data.scenes import curate_scenes
from compactvl.data.sources import source_hash
from compactvl.data.swaps import curate_swaps
from compactvl.errors import UserError
from compactvl.layout import Layout
from compactvl.manifest import manifest_digest


def required_sources(settings: DatasetSettings, datasets: Mapping[str, DatasetSettings] | None = None) -> list[str]:
    """Return the names of the sources a data set is made from.

    Args:
        settings: the data set's settings.
        datasets: all data sets of the config; ``swaps`` is made from the sources of its scenes, looked up there.
    """
    if isinstance(settings, ScenesSettings | NamesSettings):
        return [*settings.styles, settings.names]
    if isinstance(settings, SwapsSettings) and datasets is not None:
        return required_sources(_scenes_of(settings, datasets), datasets)
    return []


def required_sets(settings: DatasetSettings) -> list[str]:
    """Return the names of the data sets that must be curated before this one."""
    return [settings.scenes] if isinstance(settings, SwapsSettings) else []


def curate(
    name: str,
    settings: DatasetSettings,
    layout: Layout,
    sources: Mapping[str, SourceSettings],
) -> None:
    """Make the data set ``name`` in ``layout.dataset(name)``.

    Args:
        name: the data set's name.
        settings: its settings, of any kind.
        layout: where sources and sets are.
        sources: all sources of the config: file names and pinned hashes.

    Raises:
        UserError: a source or file is missing or not the pinned one; or what the kind's own reader finds wrong.
    """
    folder = layout.dataset(name)
    if isinstance(settings, FolderSettings):
        return curate_folder(name, settings, folder)
    if isinstance(settings, KarpathySettings):
        return curate_karpathy(name, settings, folder)
    inputs: dict[str, str] = {}
    if isinstance(settings, SwapsSettings):
        base = CanonicalSet.open(layout.dataset(settings.scenes))
        inputs[f"set {settings.scenes}"] = manifest_digest(layout.dataset(settings.scenes))
        own = base.manifest["settings"]
        needed = [*own.get("styles", ()), own.get("names", "")] if own.get("kind") == "scenes" else []
    else:
        needed = required_sources(settings)
    archives = {}
    for source in needed:
        if source not in sources:
            raise UserError(
                f"datasets.{name}: there is no source {source!r} in the config{did_you_mean(source, sources)}"
            )
        archives[source] = layout.source(sources[source].file)
        inputs[source] = source_hash(archives[source], sources[source])
    if isinstance(settings, SwapsSettings):
        return curate_swaps(name, settings, base, archives, inputs, folder)
    if isinstance(settings, NamesSettings):
        return curate_names(name, settings, archives, inputs, folder)
    return curate_scenes(name, settings, archives, inputs, folder)


def _scenes_of(settings: SwapsSettings, datasets: Mapping[str, DatasetSettings]) -> ScenesSettings:
    base = datasets.get(settings.scenes)
    if not isinstance(base, ScenesSettings):
        raise UserError(
            f"a swaps data set is built on {settings.scenes!r}, which is not a data set of kind scenes"
            f"{did_you_mean(settings.scenes, datasets)}"
        )
    return base
