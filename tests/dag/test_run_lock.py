"""Who is at work in a folder, as a snakemake that begins there finds out."""

import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.run_lock import LOCKED_FILES, RunLock
from compactvl.dag.settings_files import write_settings_files
from compactvl.errors import UserError

REPOSITORY = Path(__file__).parents[2]
HOLD = (
    "import time\n"
    "from compactvl.dag.run_lock import RunLock\n"
    "lock = RunLock()\n"
    "lock.announce()\n"
    "print(lock.other or 'alone', flush=True)\n"
    "time.sleep(60)\n"
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder in which a snakemake's lock lies, live or stale."""
    monkeypatch.chdir(tmp_path)
    LOCKED_FILES.mkdir(parents=True)
    (LOCKED_FILES / "0.output.lock").write_text("a.txt\n")
    return tmp_path


def another(folder: Path) -> subprocess.Popen:
    """Start a process that is at work in the folder; return it once it is."""
    (folder / "state" / "run.lock").unlink(missing_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "alone\n"
    return other


def test_a_live_one_is_named_and_its_lock_stays(folder):
    with another(folder) as other:
        assert f"process {other.pid} on " in RunLock().other
        assert any(LOCKED_FILES.iterdir())
        other.kill()


def test_a_killed_ones_lock_is_removed(folder, caplog):
    with another(folder) as other:
        other.kill()
        other.wait()
        assert RunLock().other is None
    assert not LOCKED_FILES.exists()
    assert f"A snakemake that was killed (process {other.pid} on " in caplog.text


def test_a_lock_of_another_machine_stays(folder):
    with another(folder) as other:
        other.kill()
        other.wait()
    lock = folder / "state" / "run.lock"
    lock.write_text(lock.read_text().replace('"host": "', '"host": "not-'))
    assert RunLock().other is None
    assert any(LOCKED_FILES.iterdir())


def test_a_lock_of_nobody_known_stays(folder):
    assert RunLock().other is None
    assert any(LOCKED_FILES.iterdir())


def test_a_file_system_without_locks_goes_without_and_says_so(folder, monkeypatch, caplog):
    def no_flock(handle, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_flock)
    lock = RunLock()
    lock.announce()
    assert lock.other is None
    assert any(LOCKED_FILES.iterdir())
    assert caplog.messages == [
        "The file system of state/run.lock has no locks: two snakemakes here do not notice each other."
    ]


def test_settings_do_not_change_under_a_process_that_reads_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    base, overlay = REPOSITORY / "config.yaml", REPOSITORY / "config" / "smoke.yaml"
    demo, smoke = (Plan(load_config(overlays, base)) for overlays in ([], [overlay]))
    write_settings_files(demo)
    before = {path: path.read_bytes() for path in Path("state").rglob("*.json")}
    write_settings_files(demo, in_use_by="process 7")
    with pytest.raises(UserError, match=r"process 7; state/settings/.* would change .*--directory"):
        write_settings_files(smoke, in_use_by="process 7")
    assert {path: path.read_bytes() for path in before} == before
    write_settings_files(smoke)
    assert {path: path.read_bytes() for path in before} != before


RULES = """
from compactvl.dag.run_lock import discard_incomplete
discard_incomplete(["archive.tgz"])
rule fetch:
    output: "archive.tgz"
    shell: "echo started > started; sleep 2; echo whole > {output}"
rule curate:
    input: ancient("archive.tgz")
    output: "set.txt"
    shell: "cat {input} > {output}"
"""


def test_what_a_killed_snakemakes_job_finished_does_not_end_the_next_run_early(tmp_path):
    (tmp_path / "Snakefile").write_text(RULES)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--rerun-incomplete", "set.txt"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "workflow")}
    options = {"cwd": tmp_path, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen(command, **options)
    wait_until(lambda: (tmp_path / "started").exists())
    first.kill()
    first.wait()
    wait_until(lambda: (tmp_path / "archive.tgz").exists())
    shutil.rmtree(tmp_path / ".snakemake" / "locks")
    assert subprocess.run(command, **options).returncode == 0
    assert (tmp_path / "set.txt").read_text() == "whole\n"


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
