"""Bad input under Snakemake: the same line arrives, before any job starts or instead of the job's output."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from bad_input import listing
from e2e_tools import REPOSITORY, environment, python, working_copy

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A working copy in which nothing has been made."""
    return working_copy(tmp_path_factory.mktemp("bad") / "a copy")


def refused(copy: Path, *arguments: str) -> str:
    """Run Snakemake, which must fail and make nothing but logs and state of its own; return what it printed."""
    own = ("state", "logs", ".snakemake")
    before = listing(copy)
    done = python(copy, "snakemake", *arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    made = [name for name in listing(copy).keys() - before.keys() if Path(name).parts[0] not in own]
    assert [name for name in made if name not in ("data/sets", "data/sets/photos")] == []
    return done.stdout + done.stderr


def test_a_key_that_is_given_twice_stops_the_plan(copy):
    (copy / "twice.yaml").write_text("datasets:\n  scenes: {seed: 1}\n  scenes: {seed: 2}\n")
    shown = refused(copy, "-n", "--configfile", "twice.yaml")
    assert "twice.yaml:3:3: key 'scenes' is given twice" in shown
    assert "Job stats" not in shown


def test_the_code_of_another_folder_is_not_run(copy):
    other = {**environment(copy), "PYTHONPATH": str(REPOSITORY / "workflow")}
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n"], cwd=copy, env=other, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        f"runs the code in {REPOSITORY}/workflow/compactvl, not {copy}/workflow/compactvl" in done.stdout + done.stderr
    )


def test_a_folder_whose_name_has_braces_stops_the_plan(tmp_path):
    folder = working_copy(tmp_path / "a {copy}")
    shown = refused(folder, "-n")
    assert f"{folder}: Snakemake takes {{ and }} in a folder's name for a wildcard; rename the folder" in shown
    assert "Traceback" not in shown


def test_a_missing_folder_stops_the_plan(copy):
    overlay = "datasets: {holidays: {kind: folder, path: nowhere, captions: c.csv}}\ntokens: {dinov2_s: [holidays]}\n"
    (copy / "missing.yaml").write_text(overlay)
    shown = refused(copy, "-n", "tokens", "--configfile", "missing.yaml")
    assert "datasets.holidays.captions: nowhere/c.csv is missing: put it there, or change the setting" in shown
    assert "Job stats" not in shown


def test_all_missing_files_of_the_papers_size_are_told_at_once(copy):
    everything = refused(copy, "-n", "--configfile", "config/paper.yaml")
    one_study = refused(copy, "-n", "edje", "--configfile", "config/paper.yaml")
    for shown in (everything, one_study):
        assert "Traceback" not in shown
        lines = [line.strip() for line in shown.splitlines() if "is missing: " in line]
        assert f"{len(lines)} files or folders of your own are missing" in shown
        assert "datasets.coco.annotations: data/external/coco/dataset_coco.json is missing: " in shown
        assert "datasets.flickr30k.images: the folder data/external/flickr30k/images is missing: " in shown
        assert all(len(line.partition("is missing: ")[2]) > 40 for line in lines)
    assert "datasets.blimp.path" in everything
    assert "datasets.blimp.path" not in one_study
    checked = python(copy, "compactvl.cli", "config", "check", "--files", "--configfile", "config/paper.yaml")
    assert (checked.returncode, checked.stdout) == (1, "")
    assert {line for line in checked.stderr.splitlines() if "is missing" in line} == {
        line.strip() for line in everything.splitlines() if "is missing" in line
    }
    assert python(copy, "compactvl.cli", "config", "check", "--files").returncode == 0


def test_a_leak_stops_the_job_and_is_shown(copy):
    (copy / "photos" / "039.png").write_bytes((copy / "photos" / "000.png").read_bytes())
    target = "data/sets/photos/manifest.json"
    shown = refused(copy, "--cores", "1", target, "--configfile", "photos.yaml")
    assert "error: data set 'photos' leaks: the same image in two splits, photos/000.png (train)" in shown
    assert "1 of 1 steps" not in shown


def test_no_home_is_needed_that_can_be_written(copy, monkeypatch):
    monkeypatch.setenv("HOME", "/proc/nowhere")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    done = python(copy, "snakemake", "-n", "sources")
    assert done.returncode == 0, done.stderr


def test_a_path_with_spaces_is_one_argument(copy, tmp_path):
    folder = tmp_path / "else where"
    folder.mkdir()
    done = python(copy, "snakemake", "-n", "-p", "results/reports/edje.html", "--directory", str(folder))
    assert done.returncode == 0, done.stderr
    (command,) = re.findall(r"compactvl report (.*) > ", done.stdout)
    arguments = shlex.split(command)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert (folder / given["--notebook"]).resolve() == copy / "reports" / "edje.py"
    assert (folder / given["--style"]).resolve() == copy / "reports" / "paper.mplstyle"
