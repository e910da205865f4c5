"""The Makefile's set-up."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from e2e_tools import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
# A package whose installation needs no network: what is looked at is whose programs there are.
PROJECT = """
[project]
name = "nothing"
version = "1"
[build-system]
requires = []
build-backend = "nothing"
backend-path = ["."]
"""
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "nothing-1-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("nothing-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: nothing\\nVersion: 1\\n")
        wheel.writestr("nothing-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("nothing-1.dist-info/RECORD", "")
    return name
"""


def make_venv(folder: Path) -> None:
    subprocess.run(
        ["make", "venv", f"PYTHON={sys.executable}"], cwd=folder, env={**os.environ, "PIP_NO_INDEX": "1"}, check=True
    )


def test_a_copied_folder_is_set_up_anew(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    (first / "envs").mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", first)
    for name in ("requirements-torch.lock", "requirements.lock", "requirements-dev.lock"):
        (first / "envs" / name).touch()
    (first / "pyproject.toml").write_text(PROJECT)
    (first / "nothing.py").write_text(BACKEND)
    make_venv(first)
    (first / ".venv" / "kept").touch()
    make_venv(first)
    assert (first / ".venv" / "kept").exists()

    shutil.copytree(first, second, symlinks=True)
    make_venv(second)
    assert not (second / ".venv" / "kept").exists()
    assert (second / ".venv" / "bin" / "pip").read_text().startswith(f"#!{second}/.venv/bin/python")
    stamps = [(folder / ".venv" / "locks.sha256").read_text() for folder in (first, second)]
    assert stamps[1] == stamps[0].replace(str(first), str(second))
    assert (first / ".venv" / "kept").exists()
