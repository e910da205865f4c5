"""The stage ``curate``: settings and sources → a canonical data set."""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from compactvl.config.base import did_you_mean
from compactvl.config.datasets import (
    DatasetSettings,
    FolderSettings,
    KarpathySettings,
    NamesSettings,
    ScenesSettings,
    SwapsSettings,
)
from compactvl.config.scene_datasets import SceneEwokSettings, SceneProbeSettings, SceneVqaSettings
from compactvl.config.sources import SourceSettings
from compactvl.config.text_datasets import (
    BabylmCaptionsSettings,
    BabylmTaskSettings,
    BrownPairsSettings,
    BrownSettings,
    TextLinesSettings,
)
from compactvl.data.babylm_captions import curate_babylm_captions
from compactvl.data.babylm_tasks import curate_babylm_task
from compactvl.data.brown import curate_brown
from compactvl.data.brown_pairs import curate_brown_pairs
from compactvl.data.canonical import CanonicalSet
from compactvl.data.folder import curate_folder
from compactvl.data.karpathy import curate_karpathy
from compactvl.data.names import curate_names
from compactvl.data.scene_ewok import curate_scene_ewok
from compactvl.data.scene_probe import curate_scene_probe
from compactvl.data.scene_vqa import curate_scene_vqa
from compactvl.data.scenes import curate_scenes
from compactvl.data.sources import source_hash
from compactvl.data.swaps import curate_swaps
from compactvl.data.text_lines import curate_text_lines
from compactvl.errors import UserError
from compactvl.records.layout import Layout
from compactvl.records.record import manifest_digest

OWN_FILES = {
    FolderSettings: curate_folder,
    KarpathySettings: curate_karpathy,
    TextLinesSettings: curate_text_lines,
    BabylmTaskSettings: curate_babylm_task,
    BabylmCaptionsSettings: curate_babylm_captions,
}
"""Kinds that are made from the user's own files."""
FROM_A_SET = {
    SceneEwokSettings: curate_scene_ewok,
    SceneVqaSettings: curate_scene_vqa,
    SceneProbeSettings: curate_scene_probe,
    BrownPairsSettings: curate_brown_pairs,
}
"""Kinds that are made from another data set alone."""


def required_sources(settings: DatasetSettings, datasets: Mapping[str, DatasetSettings] | None = None) -> list[str]:
    """Return the names of the sources a data set is made from.

    Args:
        settings: the data set's settings.
        datasets: all data sets of the config; ``swaps`` is made from the sources of its scenes, looked up there.
    """
    if isinstance(settings, ScenesSettings | NamesSettings):
        return [*settings.styles, settings.names]
    if isinstance(settings, BrownSettings):
        return [settings.source]
    if isinstance(settings, SwapsSettings) and datasets is not None:
        return required_sources(_scenes_of(settings, datasets), datasets)
    return []


def required_sets(settings: DatasetSettings) -> list[str]:
    """Return the names of the data sets that must be curated before this one."""
    if isinstance(settings, BrownPairsSettings):
        return [settings.brown]
    return [settings.scenes] if isinstance(settings, (SwapsSettings, *FROM_A_SET)) else []


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
    with _nothing_left_behind(folder):
        _curate(name, settings, layout, sources, folder)


@contextlib.contextmanager
def _nothing_left_behind(folder: Path) -> Iterator[None]:
    """Remove the files that were added to ``folder`` when what was to be made there is refused."""
    before = set(folder.iterdir()) if folder.is_dir() else None
    try:
        yield
    except UserError:
        if before is None:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            for path in set(folder.iterdir()) - before:
                path.unlink()
        raise


def _curate(
    name: str, settings: DatasetSettings, layout: Layout, sources: Mapping[str, SourceSettings], folder: Path
) -> None:
    for kind, procedure in OWN_FILES.items():
        if isinstance(settings, kind):
            return procedure(name, settings, folder)
    inputs: dict[str, str] = {}
    needed = required_sources(settings)
    for required in required_sets(settings):
        base = CanonicalSet.open(layout.dataset(required))
        inputs[f"set {required}"] = manifest_digest(layout.dataset(required))
    if type(settings) in FROM_A_SET:
        return FROM_A_SET[type(settings)](name, settings, base, inputs, folder)
    if isinstance(settings, SwapsSettings):
        own = base.manifest["settings"]
        needed = [*own.get("styles", ()), own.get("names", "")] if own.get("kind") == "scenes" else []
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
    if isinstance(settings, BrownSettings):
        return curate_brown(name, settings, archives, inputs, folder)
    return curate_scenes(name, settings, archives, inputs, folder)


def _scenes_of(settings: SwapsSettings, datasets: Mapping[str, DatasetSettings]) -> ScenesSettings:
    base = datasets.get(settings.scenes)
    if not isinstance(base, ScenesSettings):
        raise UserError(
            f"a swaps data set is built on {settings.scenes!r}, which is not a data set of kind scenes"
            f"{did_you_mean(settings.scenes, datasets)}"
        )
    return base
