"""The benchmark made once, for every end-to-end test that only looks at it or changes and restores a file of it.

While working on these tests, ``COMPACTVL_E2E_FOLDER`` names a folder in which the copies are kept and made up to date,
instead of being made anew.
"""

import os
from pathlib import Path

import pytest
from e2e_tools import SMALL, SMOKE, keep_only, snakemake, working_copy


def place(tmp_path_factory, name: str) -> Path:
    """Return the folder of a shared copy."""
    kept = os.environ.get("COMPACTVL_E2E_FOLDER")
    return (Path(kept) if kept else tmp_path_factory.mktemp("shared")) / name


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A working copy in which the smoke benchmark and all its token stores have been made. Leave it as it was."""
    copy = working_copy(place(tmp_path_factory, "smoke"))
    snakemake(copy, "all", "tokens", *SMOKE)
    return copy


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A working copy in which a handful of the smoke benchmark's variants has been made. Leave it as it was."""
    copy = working_copy(place(tmp_path_factory, "small"))
    keep_only(copy)
    snakemake(copy, "all", *SMALL)
    return copy
