"""Outputs that an equal job made are kept, also through a real Snakemake; a job that failed is never taken for done."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compactvl.records.finished import discard, keep
from compactvl.records.record import Made, write

WORKFLOW = Path(__file__).parents[2] / "workflow"
MADE = Made("train", "c0de")
KEY = MADE.key


@pytest.fixture
def record(tmp_path):
    """A finished run: a model, a log that differs from run to run, and their records."""
    for name in ("model.bin", "log.jsonl"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1e9, 1e9))
    return write(tmp_path / "manifest.json", MADE, [tmp_path / "model.bin"], varying=[tmp_path / "log.jsonl"])


def test_an_equal_job_keeps_what_is_there(record):
    before = {path.name: path.read_bytes() for path in record.parent.iterdir()}
    # Snakemake removes the record before it runs the job.
    record.unlink()
    assert keep(record, KEY)
    assert {path.name: path.read_bytes() for path in record.parent.iterdir()} == before
    assert (record.parent / "model.bin").stat().st_mtime > 1e9, "outputs must be younger than what changed before them"


@pytest.mark.parametrize("name", ["model.bin", "log.jsonl", "provenance.json"])
@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_what_is_not_whole_is_not_kept(record, name, damage):
    path = record.parent / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"o", b"0", 1))
    assert not keep(record, KEY)


def test_another_key_is_another_job(record):
    assert not keep(record, "b" * 64)
    assert keep(record, KEY)


def test_a_job_that_begins_anew_is_not_finished(record):
    discard(record)
    assert sorted(path.name for path in record.parent.iterdir()) == ["log.jsonl", "model.bin"]
    assert not keep(record, KEY)
    discard(record)


def test_a_result_is_kept_by_its_own_provenance(tmp_path):
    (tmp_path / "scenes.parquet").write_text("x")
    record = write(tmp_path / "scenes.json", MADE, [tmp_path / "scenes.parquet"], benchmark="scenes")
    before = record.read_bytes()
    record.unlink()
    assert keep(record, KEY), "killed between the two: the provenance suffices"
    assert record.read_bytes() == before
    assert not keep(tmp_path / "swaps.json", KEY)


# Through Snakemake: the outputs of rule `train` are declared as in workflow/rules/train.smk.

SNAKEFILE = """
rule train:
    input: "upstream.txt"
    output:
        model=update("run/model.bin"),
        manifest="run/manifest.json",
        provenance=update("run/provenance.json"),
    shell: "{python} job.py"


rule upstream:
    input: "source.txt"
    output: "upstream.txt"
    shell: "cp {{input}} {{output}}"
"""
JOB = """
from pathlib import Path
from compactvl.records.finished import discard, keep
from compactvl.records.record import Made, hashes, write

record, made = Path("run/manifest.json"), Made("train", "", inputs=hashes(["upstream.txt"]))
if keep(record, made.key):
    print("kept")
else:
    discard(record)
    with open("trainings", "a") as trainings:
        trainings.write("x")
    Path("run/model.bin").write_text(Path("upstream.txt").read_text())
    if Path("fail").exists():
        raise SystemExit(1)
    write(record, made, ["run/model.bin"])
"""


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "run/manifest.json", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_snakemake_trains_nothing_again_and_takes_no_failure_for_done(tmp_path):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(python=sys.executable))
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "source.txt").write_text("one")
    model, trainings = tmp_path / "run" / "model.bin", tmp_path / "trainings"

    def again(*arguments: str, succeeds: bool = True) -> str:
        done = snakemake(tmp_path, *arguments)
        assert (done.returncode == 0) is succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    again()
    assert trainings.read_text() == "x"
    # What comes before runs again, to the same bytes.
    assert "kept" in again("--forcerun", "upstream")
    assert trainings.read_text() == "x"
    assert "Nothing to be done" in again("-n")

    # Another input, and training fails: Snakemake puts the old model back, but the job is still to be done.
    (tmp_path / "source.txt").write_text("two")
    (tmp_path / "fail").touch()
    again(succeeds=False)
    assert model.read_text() == "one"
    assert not (tmp_path / "run" / "manifest.json").exists()
    (tmp_path / "fail").unlink()
    again()
    assert model.read_text() == "two"
    assert trainings.read_text() == "xxx"
