"""The benchmark made once, for every end-to-end test that only looks at it or changes and restores a file of it.

Where tests run in several processes, the first that needs it makes it while the others wait, and each works in its own copy.

While working on these tests, ``COMPACTVL_E2E_FOLDER`` names a folder in which the copies are kept and made up to date,
instead of being made anew.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e_tools import SMALL, SMOKE, copy_of, keep_only, snakemake, working_copy
from filelock import FileLock


@pytest.fixture(scope="session")
def own_copy(tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Iterator[Path]]:
    """Gives (name, what makes it in a folder) → this process's copy, which goes away at the end."""
    kept, base = os.environ.get("COMPACTVL_E2E_FOLDER"), tmp_path_factory.getbasetemp()
    several = "PYTEST_XDIST_WORKER" in os.environ
    shared = Path(kept) if kept else base.parent if several else base

    def copies(name: str, make: Callable[[Path], None]) -> Iterator[Path]:
        shared.mkdir(parents=True, exist_ok=True)
        made = shared / f"{name}.made"
        with FileLock(shared / f"{name}.lock"):
            if kept or not made.exists():
                make(shared / name)
                made.touch()
        if not several:
            yield shared / name
            return
        own = copy_of(shared / name, base / f"own-{name}")
        yield own
        shutil.rmtree(own, ignore_errors=True)

    return copies


@pytest.fixture(scope="session")
def finished(own_copy):
    """A working copy in which the smoke benchmark and all its token stores have been made. Leave it as it was."""

    def make(folder: Path) -> None:
        snakemake(working_copy(folder), "all", "tokens", *SMOKE)

    yield from own_copy("smoke", make)


@pytest.fixture(scope="session")
def small(own_copy):
    """A working copy in which a handful of the smoke benchmark's variants has been made. Leave it as it was."""

    def make(folder: Path) -> None:
        keep_only(working_copy(folder))
        snakemake(folder, "all", *SMALL)

    yield from own_copy("small", make)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process begin with what makes the benchmark, and another with the files that do not need it."""
    waits: dict[Path, bool] = {}
    for item in items:
        if item.get_closest_marker("e2e"):
            needs = {"finished", "small"} & set(getattr(item, "fixturenames", ()))
            waits[item.path] = waits.get(item.path, False) or bool(needs)
    first = next((path for path, waiting in waits.items() if waiting), None)
    items.sort(key=lambda item: (item.path in waits, item.path != first, waits.get(item.path, False)))
