"""Fixtures of the data tests: real artwork, small data sets."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from curating import make

from compactvl.data.canonical import CanonicalSet

STYLES = ("noto", "twemoji", "fluent", "openmoji")
SMALL_SCENES = {"kind": "scenes", "concepts": 16, "images": {"train": 240, "val": 60, "test": 60}}


@pytest.fixture(scope="session")
def archives(source_archive: Callable[[str], Path]) -> dict[str, Path]:
    return {name: source_archive(name) for name in (*STYLES, "emojibase")}


@pytest.fixture(scope="session")
def make_set(archives) -> Callable[..., CanonicalSet]:
    """Curate a data set below ``root`` from real artwork; returns it opened."""

    def with_artwork(root: Path, name: str, settings: Mapping[str, Any]) -> CanonicalSet:
        return make(root, name, settings, archives)

    return with_artwork


@pytest.fixture(scope="session")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("curated")


@pytest.fixture(scope="session")
def scenes(make_set, root) -> CanonicalSet:
    return make_set(root, "scenes", SMALL_SCENES)
