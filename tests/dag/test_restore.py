"""What DVC says, and what is made of it; the whole of ``compactvl restore`` is tested in e2e/test_dvc.py."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from compactvl.cli.main import main
from compactvl.dag.restore import changes_of, unknown_overlays

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("change", "absent", "problem"),
    [
        ({"changed outs": {"runs": "not in cache"}}, [], None),
        ({"changed outs": {"runs": "deleted"}}, ["runs"], None),
        ({"changed outs": {"runs": "modified"}}, [], "runs: differs from dvc.lock; run 'dvc checkout'"),
        ({"changed outs": {"runs": "new"}}, [], "runs: differs from dvc.lock; run 'dvc checkout'"),
        ({"changed deps": {"config.yaml": "modified"}}, [], "config.yaml: differs from dvc.lock; run snakemake"),
        ("changed command", [], "studies: changed command since dvc.lock was written; run snakemake"),
    ],
)
def test_changes_of_a_stage(change, absent, problem):
    assert changes_of({"studies": [change]}) == (absent, [] if problem is None else [problem])


def test_a_source_names_its_own_file_and_a_path_is_named_once():
    status = {
        "data/sources/brown.tgz.dvc": [{"changed outs": {"data/sources/brown.tgz": "modified"}}],
        "data": [{"changed deps": {"data/sources": "modified"}}, {"changed outs": {"data/sets": "modified"}}],
        "studies": [{"changed deps": {"data/sets": "modified"}}],
    }
    assert changes_of(status) == (
        [],
        [
            "data/sources/brown.tgz: differs from data/sources/brown.tgz.dvc; run 'dvc checkout'",
            "data/sources: differs from dvc.lock; run snakemake",
            "data/sets: differs from dvc.lock; run 'dvc checkout'",
        ],
    )


def test_a_folder_of_sources_that_are_not_here_is_to_be_pulled():
    status = {
        "data/sources/brown.tgz.dvc": [{"changed outs": {"data/sources/brown.tgz": "deleted"}}],
        "data": [{"changed deps": {"data/sources": "modified"}}],
    }
    assert changes_of(status) == (
        ["data/sources/brown.tgz"],
        ["data/sources: part of it is not here; run 'dvc pull'"],
    )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "config.yaml", tmp_path)
    return tmp_path


def test_an_overlay_must_be_in_the_lock(folder):
    (folder / "dvc.lock").write_text(
        "schema: '2.0'\nstages:\n  data:\n    cmd: x\n    deps:\n    - path: config/a.yaml\n"
    )
    assert unknown_overlays([Path("config/a.yaml"), Path("config/b.yaml")]) == ["config/b.yaml"]
    assert unknown_overlays([Path("./config/a.yaml")]) == []


def error_of(capsys) -> str:
    assert main(["restore"]) == 2
    output = capsys.readouterr()
    assert "Traceback" not in output.err
    [line] = output.err.splitlines()
    return line


def test_without_a_lock_nothing_can_be_restored(folder, capsys):
    assert "dvc.lock is missing" in error_of(capsys)
    assert "dvc commit --force" in error_of(capsys)


def test_outside_a_repository_dvc_says_so(folder, capsys):
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert "'dvc status' failed: you are not inside of a DVC repository" in error_of(capsys)


def test_nothing_to_restore(folder, capsys, monkeypatch):
    for kind in ("SITE_CACHE", "SYSTEM_CONFIG", "GLOBAL_CONFIG"):
        monkeypatch.setenv(f"DVC_{kind}_DIR", str(folder / "dvc"))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], check=True)
    (folder / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    assert "run 'dvc pull' or 'dvc checkout'" in error_of(capsys)
