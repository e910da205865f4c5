"""Which device a job computes on: a GPU of its own by a lease, or the CPU.

Snakemake's ``gpu=1`` counts jobs but hands out no device. A lease is a lock on one small file a device; it ends with
the process, however that ends. Nothing here imports torch: ``CUDA_VISIBLE_DEVICES`` must be set before it does.
"""

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)
VARIABLE = "CUDA_VISIBLE_DEVICES"
POLL_SECONDS = 2.0
LINE_EVERY_SECONDS = 60.0


def present_gpus(devices: Path = Path("/dev")) -> list[int]:
    """Return the numbers of the NVIDIA devices of this machine, from ``/dev/nvidia<n>``."""
    names = (path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*"))
    return sorted(int(name) for name in names if name.isdigit())


@contextmanager
def lease(gpus: list[int] | None = None, folder: Path | None = None) -> Iterator[int | None]:
    """Hold one GPU for as long as the context lasts; wait for one if all are held.

    ``CUDA_VISIBLE_DEVICES`` that is already set (by SLURM, or by the user; empty means "no GPU") is respected and
    nothing is locked. Without a GPU nothing happens and the job computes on the CPU.

    Args:
        gpus: device numbers to choose from; default: :func:`present_gpus`.
        folder: where the lock files are; default: one folder a machine, shared by all users.

    Yields:
        The device's number, or ``None`` where nothing was leased.
    """
    if VARIABLE in os.environ:
        yield None
        return
    gpus = present_gpus() if gpus is None else gpus
    if not gpus:
        yield None
        return
    folder = folder or Path(tempfile.gettempdir())
    number, handle = _wait_for_one(gpus, folder)
    os.environ[VARIABLE] = str(number)
    log.info("computing on GPU %d", number)
    try:
        yield number
    finally:
        del os.environ[VARIABLE]
        os.close(handle)


def _wait_for_one(gpus: list[int], folder: Path) -> tuple[int, int]:
    said = float("-inf")
    while True:
        for number in gpus:
            handle = _open_lock(folder / f"compactvl-gpu{number}.lock")
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return number, handle
            except BlockingIOError:
                os.close(handle)
        if time.monotonic() - said >= LINE_EVERY_SECONDS:
            said = time.monotonic()
            log.info("waiting for a GPU: %s are in use by other jobs", ", ".join(map(str, gpus)))
        time.sleep(POLL_SECONDS)


def _open_lock(path: Path) -> int:
    """Open a lock file that another user may own: for reading is enough to lock it."""
    try:
        return os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
