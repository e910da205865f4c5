"""Which device a job computes on: a GPU of its own by a lease, or the CPU.

Snakemake's ``gpu=1`` counts jobs but hands out no device. A lease is a lock on one small file a device; it ends with
the process, however that ends. Nothing here imports torch: ``CUDA_VISIBLE_DEVICES`` must be set before it does.
"""

import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from compactvl.files import try_lock

log = logging.getLogger(__name__)
VARIABLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"
FOLDER = Path("/tmp")
"""Where the lock files are: one folder a machine, whatever each user's ``TMPDIR``."""
POLL_SECONDS = 2.0
LINE_EVERY_SECONDS = 60.0


def present_gpus(devices: Path = Path("/dev")) -> list[int]:
    """Return the numbers of the NVIDIA devices of this machine, from ``/dev/nvidia<n>``."""
    names = (path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*"))
    return sorted(int(name) for name in names if name.isdigit())


@contextmanager
def lease(gpus: list[int] | None = None, folder: Path | None = None) -> Iterator[int | str | None]:
    """Hold one GPU for as long as the context lasts; wait for one if all are held.

    ``CUDA_VISIBLE_DEVICES`` that is already set (by SLURM, or by the user; empty means "no GPU") is respected: of several
    devices in it one is held, and of a single one nothing is locked. Without a GPU the job computes on the CPU.

    CUDA counts the devices it sees from 0: a container that was given ``/dev/nvidia3`` alone has the device 0. So the
    file's number is locked, and its place among those present is handed to CUDA.

    Args:
        gpus: numbers of the device files to choose from; default: :func:`present_gpus`.
        folder: where the lock files are; default: :data:`FOLDER`.

    Yields:
        The device as CUDA knows it (a number, or a name such as ``GPU-…``), or ``None`` where nothing was leased.
    """
    before = os.environ.get(VARIABLE)
    if before is None:
        locks = {str(number): str(gpu) for number, gpu in enumerate(present_gpus() if gpus is None else gpus)}
    else:
        locks = _listed(before)
    if not locks:
        yield None
        return
    name, handle = _wait_for_one(locks, folder or FOLDER)
    os.environ[VARIABLE] = name
    if before is None:
        os.environ[ORDER] = "PCI_BUS_ID"
    log.info("computing on GPU %s", name)
    try:
        yield int(name) if name.isdigit() else name
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
        if handle is not None:
            os.close(handle)


def _listed(value: str) -> dict[str, str]:
    """Return the devices of a list of several, each with the name of its lock; a single one is its job's alone.

    Two SLURM jobs on a machine may both count their own devices from 0, so their locks have the job's number too.
    """
    names = list(takewhile(lambda name: name and not name.startswith("-"), map(str.strip, value.split(","))))
    job = f"{os.environ['SLURM_JOB_ID']}-" if "SLURM_JOB_ID" in os.environ else ""
    return {name: job + re.sub(r"\W", "-", name) for name in names} if len(names) > 1 else {}


def _wait_for_one(locks: Mapping[str, str], folder: Path) -> tuple[str, int | None]:
    said = float("-inf")
    while True:
        for name, lock in locks.items():
            path, handle, locked = folder / f"compactvl-gpu{lock}.lock", None, None
            with suppress(OSError):
                handle = _open_lock(path)
                locked = try_lock(handle)
            if locked is None:
                log.warning("%s cannot be locked: other jobs may compute on GPU %s too", path, name)
            if locked is not False:
                return name, handle
            os.close(handle)
        if time.monotonic() - said >= LINE_EVERY_SECONDS:
            said = time.monotonic()
            log.info("waiting for a GPU: %s are in use by other jobs", ", ".join(locks))
        time.sleep(POLL_SECONDS)


def _open_lock(path: Path) -> int:
    """Open a lock file that another user may own: reading is enough to lock it."""
    umask = os.umask(0o022)
    try:
        return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return os.open(path, os.O_RDONLY)
    finally:
        os.umask(umask)
