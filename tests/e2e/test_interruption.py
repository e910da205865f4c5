"""Jobs killed at random moments: the next run finishes them, with the bytes of an undisturbed run.

Every kill has a seed, which draws the job, the moment and the way. A job is made necessary by removing its record, and
what of its work would be kept; what it then writes must equal what was there.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from e2e_tools import SMALL, SMOKE, copy_of, environment, keep_only, planned, python, snakemake, working_copy

from compactvl.files import read_json
from compactvl.records.verify import damage, find_records
from compactvl.training.loop import SAVE_VARIABLE

pytestmark = pytest.mark.e2e
POLL_SECONDS = 0.02
START_SECONDS = 120
END_SECONDS = 180
UNEQUAL = ("provenance.json", "log.jsonl", ".pdf", ".svg", ".png")
"""Ends of names of files that hold times, or programs' own remarks; so do the reports."""


@dataclass(frozen=True)
class Stage:
    """A stage's jobs.

    Attributes:
        record: pattern of the file that says a job is finished; also the target.
        command: the command of ``compactvl``.
        seconds: a kill comes so long after the job's start, at most.
        also: further patterns, relative to the record's folder (``{stem}``: its stem), of what is removed to have the work done again.
        without: names of records that are left alone.
    """

    record: str
    command: str
    seconds: float
    also: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


STAGES = {
    "curate": Stage("data/sets/*/manifest.json", "curate", 4),
    "encode": Stage("cache/tokens/*/*/manifest.json", "encode", 8, ("shard-*",)),
    "embed": Stage("cache/texts/*/*/manifest.json", "embed", 6),
    "train": Stage("runs/*/*/seed0/manifest.json", "train", 7, ("provenance.json",)),
    "evaluate": Stage(
        "results/*/*/seed0/*.parquet", "evaluate", 7, ("{stem}.provenance.json",), without=("efficiency", "latency")
    ),
    "report": Stage("results/reports/*.html", "report", 12, without=("index",)),
}
WAYS = ("machine", "job", "ctrl-c", "terminate")
"""SIGKILL to every process at once (a power cut); SIGKILL to the job alone (out of memory); SIGINT to all; SIGTERM."""
PLAN = [
    *(("curate", seed) for seed in range(5)),
    *(("encode", seed) for seed in range(6)),
    *(("embed", seed) for seed in range(2)),
    *(("train", seed) for seed in range(8)),
    *(("evaluate", seed) for seed in range(6)),
    *(("report", seed) for seed in range(3)),
]
QUICK = {("evaluate", 2)}
"""What runs every time; the others run with the slow tests."""


@pytest.fixture(scope="module")
def disturbed(finished, tmp_path_factory):
    """A copy of the finished smoke benchmark that may be disturbed."""
    return copy_of(finished, tmp_path_factory.mktemp("disturbed") / "copy")


def start(copy: Path, *arguments: str, **variables: str) -> subprocess.Popen:
    """Start Snakemake as the leader of a group of processes, as a shell does."""
    output = (copy / "disturbed.log").open("w")
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=copy, env=environment(copy, **variables), stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def descendants(process: subprocess.Popen) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process.pid).children(recursive=True)
    return []


def job_of(process: subprocess.Popen, *commands: str) -> psutil.Process | None:
    """Return a process that runs ``compactvl COMMAND`` under Snakemake, not the shell around it."""
    for child in descendants(process):
        with contextlib.suppress(psutil.Error):
            line = child.cmdline()
            if not set(commands).isdisjoint(line[1:4]) and any(Path(word).name == "compactvl" for word in line[:3]):
                return child
    return None


def wait_for(process: subprocess.Popen, condition, seconds: float = START_SECONDS):
    """Wait until a condition is true, and return it; ``None`` when the process ends first."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        if process.poll() is not None:
            return None
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"waited {seconds} s in vain")


def kill(process: subprocess.Popen, way: str, job: psutil.Process | None) -> None:
    """Kill in one of :data:`WAYS`, and wait until nobody is left."""
    everybody = [*descendants(process), psutil.Process(process.pid)]
    match way:
        case "machine":
            for one in reversed(everybody):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
        case "job":
            with contextlib.suppress(psutil.NoSuchProcess):
                job.kill()
        case "ctrl-c":
            os.killpg(process.pid, signal.SIGINT)
        case "terminate":
            process.terminate()
    process.wait(END_SECONDS)
    left = psutil.wait_procs(everybody, timeout=END_SECONDS)[1]
    assert not left, f"still there after {way}: {left}"


def equal_part(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder that must be equal to the bit, by name."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(UNEQUAL))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.parent.name != "reports"}


def nothing_half_written(copy: Path, folder: Path) -> None:
    """A record that is there holds. It may be stale: what comes after a job that was killed is not made again yet."""
    for record, body in find_records([folder]).items():
        assert damage(record, body, {}) == []


@pytest.mark.parametrize(
    ("stage", "seed"), [pytest.param(*kill, marks=[] if kill in QUICK else pytest.mark.slow) for kill in PLAN]
)
def test_a_killed_job_is_finished_by_the_next_run(disturbed, stage, seed):
    stage, rng = STAGES[stage], random.Random(f"{stage} {seed}")
    record = rng.choice([path for path in sorted(disturbed.glob(stage.record)) if path.stem not in stage.without])
    way, target, folder = WAYS[seed % len(WAYS)], str(record.relative_to(disturbed)), record.parent
    before = equal_part(folder)
    moment, killed = rng.uniform(0, stage.seconds), False
    while not killed:
        for path in [record, *(p for pattern in stage.also for p in folder.glob(pattern.format(stem=record.stem)))]:
            path.unlink()
        process = start(disturbed, target, *SMOKE, **{SAVE_VARIABLE: "0"})
        job = wait_for(process, lambda process=process: job_of(process, stage.command))
        assert job is not None, (disturbed / "disturbed.log").read_text()[-3000:]
        _, alive = psutil.wait_procs([job], timeout=moment)
        killed = bool(alive)
        if killed:
            kill(process, way, job)
            print(f"{target}: {way} after {moment:.1f} s, exit code {process.returncode}")
        else:
            # Too late: it was done. Once more, and sooner.
            assert process.wait(END_SECONDS) == 0
            moment /= 2
    nothing_half_written(disturbed, folder)

    snakemake(disturbed, target, *SMOKE)
    after = equal_part(folder)
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] != before[name]] == []
    assert record.is_file()


def test_training_resumes_from_its_last_state(disturbed):
    run = disturbed / "runs" / "edje" / "photos" / "seed0"
    state = disturbed / "state" / "resume" / "edje" / "photos" / "seed0"
    target, before = str((run / "manifest.json").relative_to(disturbed)), equal_part(run)
    for name in ("manifest.json", "provenance.json"):
        (run / name).unlink()
    process = start(disturbed, target, *SMOKE, **{SAVE_VARIABLE: "0"})
    assert wait_for(process, lambda: list(state.glob("resume*")))
    kill(process, "machine", None)
    assert not (run / "manifest.json").exists()
    snakemake(disturbed, target, *SMOKE)
    log = (disturbed / "logs" / "train" / "edje" / "photos" / "seed0.log").read_text()
    assert "resumed at step" in log, log
    assert int(log.split("resumed at step")[1].split()[0]) > 0
    assert equal_part(run) == before
    steps = [json.loads(line)["step"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert not state.exists()


@pytest.mark.slow
def test_a_benchmark_made_in_spite_of_power_cuts_equals_another_folders_to_the_bit(small, tmp_path):
    """From nothing, with one core instead of two, and a power cut every few seconds."""
    copy = working_copy(tmp_path / "elsewhere" / "copy")
    keep_only(copy)
    rng, cuts = random.Random("power"), 0
    while cuts < 12:
        process = start(copy, "all", *SMALL, "--cores", "1", **{SAVE_VARIABLE: "0"})
        job = wait_for(process, lambda process=process: job_of(process, *STAGES))
        if job is None:
            break
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(2, 20))
        kill(process, "machine", job)
        cuts += 1
        for folder in ("data/sets", "cache", "runs", "results"):
            if (copy / folder).is_dir():
                nothing_half_written(copy, copy / folder)
    assert cuts >= 8
    snakemake(copy, "all", *SMALL, "--cores", "1")
    compared = 0
    for folder in ("data/sets", "cache", "runs", "results"):
        one, other = equal_part(small / folder), equal_part(copy / folder)
        assert one.keys() == other.keys()
        assert [name for name in one if one[name] != other[name]] == [], folder
        compared += len(one)
    assert compared > 100
    assert python(copy, "compactvl.cli", "verify").returncode == 0
    assert "Nothing to be done" in snakemake(copy, "-n", "all", *SMALL)


def test_an_interrupted_dry_run_leaves_nothing_behind(disturbed):
    """The settings files of the plan are whole or not there."""
    settings = disturbed / "state" / "settings"
    kept = disturbed / "settings_before"
    before = planned(snakemake(disturbed, "-n", "all", *SMOKE))
    shutil.move(settings, kept)
    process = start(disturbed, "-n", "all", *SMOKE)
    wait_for(process, settings.exists)
    kill(process, "machine", None)
    for path in settings.rglob("[!.]*.json"):
        read_json(path)
    shutil.rmtree(settings)
    shutil.move(kept, settings)
    assert planned(snakemake(disturbed, "-n", "all", *SMOKE)) == before
