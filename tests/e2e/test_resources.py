"""What is scarce: a folder for one run at a time, space on the disk, and devices."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from e2e_tools import SMOKE, environment, python, working_copy

from compactvl.cli.main import main
from compactvl.records.verify import damage, find_records
from compactvl.training.loop import SAVE_VARIABLE

pytestmark = pytest.mark.e2e
VARYING = ("provenance.json", "log.jsonl")
"""Ends of names of files that hold times."""


# A folder.


def wait_for(condition, seconds: float = 120):
    """Wait until a condition is true, and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain")


def start(copy: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake without waiting for it; what it says goes to ``first.log``."""
    with (copy / "first.log").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "1", *arguments],
            cwd=copy, env=environment(copy), stdout=output, stderr=output,
        )  # fmt: skip


@pytest.mark.slow
def test_two_runs_in_one_folder(tmp_path):
    """The second says who is there, changes nothing under it, and a killed one stops nobody."""
    copy = working_copy(tmp_path / "copy")
    target, locks = "data/sets/brown/manifest.json", copy / ".snakemake" / "locks"
    first = start(copy, target, "data/sets/scenes/manifest.json", *SMOKE)
    wait_for(lambda: first.poll() is not None or "Shell command" in (copy / "first.log").read_text())
    # A halt, so that it is at work for as long as the others look.
    first.send_signal(signal.SIGSTOP)
    assert any(locks.iterdir()), (copy / "first.log").read_text()

    second = python(copy, "snakemake", "--cores", "1", target, *SMOKE)
    assert second.returncode == 1
    assert f"Another snakemake is at work in this folder: process {first.pid} on " in second.stderr
    assert "Directory cannot be locked" in second.stderr
    looking = python(copy, "snakemake", "-n", target, *SMOKE)
    assert looking.returncode == 0, looking.stderr
    before = {path: path.read_bytes() for path in (copy / "state" / "settings").rglob("*.json")}
    other = python(copy, "snakemake", "-n", target)
    assert other.returncode == 1
    assert "another snakemake is at work here with other settings" in other.stdout  # where a dry run says all
    assert f"process {first.pid} on " in other.stdout
    assert {path: path.read_bytes() for path in before} == before
    assert any(locks.iterdir())

    first.kill()
    first.wait()
    third = python(copy, "snakemake", "--cores", "1", target, *SMOKE)
    assert third.returncode == 0, third.stderr
    assert f"A snakemake that was killed (process {first.pid} on " in third.stderr
    assert (copy / target).is_file()


# A disk.


class Disk:
    """A disk of 64 MB, mounted in a folder.

    Attributes:
        folder: where. filler: a file that takes the space that is not to be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.filler = folder, folder / "filler"
        folder.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if done.returncode:
            pytest.skip("cannot mount a small disk; run as root, or under `unshare --map-root-user --mount`")

    def leave(self, kilobytes: int) -> None:
        """Take all the space but this."""
        free = os.statvfs(self.folder)
        with self.filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - kilobytes * 1024)

    def make_room(self) -> None:
        self.filler.unlink()


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    disk = Disk(tmp_path / "disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)


def borrow(finished: Path, folder: Path, *names: str) -> None:
    """Link what a command reads into a working folder of its own."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(finished / name)


def equal_part(folder: Path) -> dict[str, bytes]:
    """Return the files that are a function of data, settings and seed, by name."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(VARYING))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def size_of(folder: Path) -> int:
    """Return the kilobytes a folder's files take, in whole pages."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


JOB = ("--study", "edje", "--variant", "photos", "--seed", "0", "--settings", "state/settings/edje/photos.json")
STAGES = {
    "curate": ("data/sets/photos", ["curate", "--settings", "state/settings/datasets/photos.json"]),
    "encode": (
        "cache/tokens/dinov2_s/photos",
        [
            *("encode", "--settings", "state/settings/encoders/dinov2_s.json", "--dataset", "data/sets/photos"),
            *("--weights", "cache/weights/dinov2_s.safetensors", "--out", "cache/tokens/dinov2_s/photos"),
        ],
    ),
    "embed": (
        "cache/texts/minilm/photos",
        [
            *("embed", "--settings", "state/settings/text_encoders/minilm.json", "--dataset", "data/sets/photos"),
            *("--weights", "cache/weights/minilm.safetensors", "--out", "cache/texts/minilm/photos"),
        ],
    ),
    "train": ("runs/edje/photos/seed0", ["train", *JOB, "--out", "runs/edje/photos/seed0"]),
    "evaluate": (
        "results/edje/photos/seed0",
        [
            *("evaluate", *JOB, "--benchmark", "state/settings/benchmarks/photos.json"),
            *("--out", "results/edje/photos/seed0"),
        ],
    ),
}
BORROWED = {
    "curate": ("photos", "state/settings"),
    "encode": ("data", "cache/weights", "state/settings"),
    "embed": ("data", "cache/weights", "state/settings"),
    "train": ("data", "cache", "state/settings"),
    "evaluate": ("data", "cache", "runs", "state/settings"),
}
QUICK = {("embed", 0.6), ("train", 0.6), ("curate", 0.6)}
SHARES = (0.0, 0.3, 0.6, 0.95)
"""How much of what a stage writes fits on the disk."""


@pytest.mark.parametrize(
    ("stage", "share"),
    [
        pytest.param(stage, share, marks=[] if (stage, share) in QUICK else pytest.mark.slow)
        for stage in BORROWED
        for share in SHARES
    ],
)
def test_a_full_disk(stage, share, finished, disk, monkeypatch, capsys):
    """One clear line, nothing half-written; with room again the same command ends with the bytes of an undisturbed run."""
    output, command = STAGES[stage]
    expected = equal_part(finished / output)
    borrow(finished, disk.folder, *BORROWED[stage])
    disk.leave(int(share * size_of(finished / output)))
    monkeypatch.chdir(disk.folder)
    monkeypatch.setenv(SAVE_VARIABLE, "0")
    assert main(command) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(errors) == 1
    assert "No space left on device; free some space and run again" in errors[0]
    here = Path(output)
    assert [path for path in Path().rglob(".*") if path.is_file()] == []
    assert not (here / "manifest.json").exists()
    for record, body in find_records([here] if here.is_dir() else []).items():
        assert damage(record, body, {}) == []

    disk.make_room()
    assert main(command) == 0
    assert equal_part(here) == expected


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [100, 1500])
def test_snakemake_on_a_full_disk(kilobytes, finished, disk):
    """The user sees what is wrong; with room again the same command goes on."""
    borrow(finished, disk.folder, "data/sources", "photos", "cache/weights")
    disk.leave(kilobytes)
    target = "cache/tokens/dinov2_s/photos/manifest.json"
    command = ("snakemake", "--cores", "1", target, *SMOKE, "--directory", str(disk.folder))
    full = python(finished, *command)
    assert full.returncode == 1
    assert "No space left on device; free some space and run again" in full.stderr
    disk.make_room()
    again = python(finished, *command)
    assert again.returncode == 0, again.stderr
    assert (disk.folder / target).read_bytes() == (finished / target).read_bytes()


# Devices.

LEASE = (
    "import sys, time\n"
    "from pathlib import Path\n"
    "from compactvl.training import device\n"
    "device.POLL_SECONDS = 0.02\n"
    "with device.lease(device.present_gpus(Path(sys.argv[1])), Path(sys.argv[2])) as number:\n"
    "    began = time.monotonic()\n"
    "    time.sleep(float(sys.argv[3]))\n"
    "    print(number, began, time.monotonic(), flush=True)\n"
)
TRAIN = (
    "import sys\n"
    "from pathlib import Path\n"
    "from compactvl.cli.main import main\n"
    "from compactvl.training import device\n"
    "device.POLL_SECONDS = 0.02\n"
    "# Where the device files are: the one thing that is not as on a machine with devices.\n"
    "device.present_gpus.__defaults__ = (Path(sys.argv[1]),)\n"
    "device.FOLDER = Path(sys.argv[1])\n"
    "sys.exit(main(sys.argv[2:]))\n"
)


@pytest.fixture
def machine(tmp_path):
    """Make the folder of device files of a machine with so many devices."""

    def make(devices: int) -> Path:
        folder = tmp_path / "dev"
        folder.mkdir()
        for number in range(devices):
            (folder / f"nvidia{number}").touch()
        return folder

    return make


def processes(copy: Path, number: int, code: str, *arguments: object, **variables: str) -> list[subprocess.Popen]:
    """Start processes that are free to lease a device."""
    free = {key: value for key, value in environment(copy, **variables).items() if key != "CUDA_VISIBLE_DEVICES"}
    command, pipe = [sys.executable, "-c", code, *map(str, arguments)], subprocess.PIPE
    return [subprocess.Popen(command, cwd=copy, env=free, stdout=pipe, stderr=pipe, text=True) for _ in range(number)]


@pytest.mark.parametrize("devices", [1, 2])
def test_jobs_have_a_device_to_themselves(devices, finished, machine, tmp_path):
    jobs = processes(finished, 5, LEASE, machine(devices), tmp_path, 0.2)
    held: dict[int, list[tuple[float, float]]] = {}
    for job in jobs:
        shown, errors = job.communicate(timeout=120)
        assert job.returncode == 0, errors
        number, began, ended = shown.split()
        held.setdefault(int(number), []).append((float(began), float(ended)))
    assert sorted(held) == list(range(devices))
    for times in held.values():
        assert all(first[1] <= second[0] for first, second in pairwise(sorted(times)))


def test_a_killed_jobs_device_goes_to_the_next(finished, machine, tmp_path):
    folder = machine(1)
    (holder,) = processes(finished, 1, LEASE, folder, tmp_path, 600)
    lock = tmp_path / "compactvl-gpu0.lock"
    wait_for(lock.exists)
    (waiting,) = processes(finished, 1, LEASE, folder, tmp_path, 0)
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.communicate(timeout=3)
    holder.kill()
    assert waiting.communicate(timeout=60)[0].split()[0] == "0"
    holder.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_real_training_jobs(devices, finished, machine, tmp_path):
    """Two at once: on one device one waits for the other, on two they differ; both runs are as on the processor."""
    folder, jobs = machine(devices), []
    for seed in ("0", "1"):
        command = ["train", *JOB, "--seed", seed, "--out", str(tmp_path / seed)]
        jobs += processes(finished, 1, TRAIN, folder, *command)
    shown = []
    for job in jobs:
        shown.append(job.communicate(timeout=300)[1])
        assert job.returncode == 0, shown[-1]
    used = [text.split("computing on GPU ")[1][0] for text in shown]
    assert sorted(used) == (["0", "0"] if devices == 1 else ["0", "1"])
    assert sum("waiting for a GPU: 0 are in use by other jobs" in text for text in shown) == 2 - devices
    assert equal_part(tmp_path / "0") == equal_part(finished / "runs/edje/photos/seed0")
    assert (tmp_path / "1" / "manifest.json").is_file()
