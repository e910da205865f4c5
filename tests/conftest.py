"""Fixtures every test may use: pinned archives and optional local samples."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from compactvl.config.base import validate
from compactvl.config.sources import SourceSettings
from compactvl.data.sources import fetch_source
from compactvl.evaluation.collect import collect, find_results
from compactvl.records.record import MANIFEST, Made, hashes, write

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def source_archive() -> Callable[[str], Path]:
    """Archive of a source by its name in ``config.yaml``: the working copy's own, else fetched once and kept."""
    sources = yaml.safe_load((REPOSITORY / "config.yaml").read_text(encoding="utf-8"))["sources"]

    def archive(name: str) -> Path:
        settings = validate(SourceSettings, sources[name], f"sources.{name}")
        present = REPOSITORY / "data" / "sources" / settings.file
        if present.is_file():
            return present
        kept = REPOSITORY / ".cache" / "test-sources" / settings.file
        fetch_source(settings, kept)
        return kept

    return archive


@pytest.fixture(scope="session")
def style() -> Path:
    """The reports' matplotlib style sheet."""
    return REPOSITORY / "reports" / "paper.mplstyle"


@pytest.fixture(scope="session")
def collect_all() -> Callable[..., None]:
    """Collect every result of a folder into its table, of one study or of all."""

    def collect_found(results: Path, study: str | None = None) -> None:
        collect(results, Made("collect", "", inputs=hashes(find_results(results, study))), study)

    return collect_found


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of optional sample data outside the repository; tests that need it are skipped where it is not."""
    folder = Path(os.environ.get("COMPACTVL_SAMPLES", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no sample data; set COMPACTVL_SAMPLES to its folder")
    return folder


@pytest.fixture(scope="session")
def saved_run() -> Callable[[Any, Path], Path]:
    """Write a model's weights as a finished run in a folder; return the folder."""
    from compactvl.training.checkpoint import save_model

    def save(model: Any, folder: Path) -> Path:
        path = save_model(model, folder)
        write(folder / MANIFEST, Made("train", ""), [path])
        return folder

    return save
