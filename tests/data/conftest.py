"""Fixtures of the data tests: real artwork, small data sets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from compactvl.config.datasets import DatasetSettings
from compactvl.config.sources import SourceSettings
from compactvl.data.canonical import CanonicalSet
from compactvl.data.curate import curate, required_sources
from compactvl.records.layout import Layout

STYLES = ("noto", "twemoji", "fluent", "openmoji")
SMALL_SCENES = {"kind": "scenes", "concepts": 16, "images": {"train": 240, "val": 60, "test": 60}}
CONFIG = Path(__file__).parents[2] / "config.yaml"


@pytest.fixture(scope="session")
def archives(source_archive: Callable[[str], Path]) -> dict[str, Path]:
    return {name: source_archive(name) for name in (*STYLES, "emojibase")}


@pytest.fixture(scope="session")
def sources() -> dict[str, SourceSettings]:
    body = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["sources"]
    return {name: SourceSettings(**body[name]) for name in (*STYLES, "emojibase")}


@pytest.fixture(scope="session")
def make_set(archives, sources) -> Callable[..., CanonicalSet]:
    """Curate a data set below ``root`` as the stage does; returns it opened."""

    def make(root: Path, name: str, settings: Mapping[str, Any]) -> CanonicalSet:
        layout = Layout(root)
        layout.sources.mkdir(parents=True, exist_ok=True)
        for source, archive in archives.items():
            link = layout.source(sources[source].file)
            if not link.exists():
                link.symlink_to(archive)
        parsed = TypeAdapter(DatasetSettings).validate_python(dict(settings))
        assert set(required_sources(parsed)) <= set(archives)
        curate(name, parsed, layout, sources)
        return CanonicalSet.open(layout.dataset(name))

    return make


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("curated")


@pytest.fixture(scope="session")
def scenes(make_set, root) -> CanonicalSet:
    return make_set(root, "scenes", SMALL_SCENES)
