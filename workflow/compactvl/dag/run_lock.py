"""Which snakemake is at work in this folder: a second one is told, and what a killed one left stops nobody.

Snakemake's own lock is a list of files in ``.snakemake/locks``. It stays behind when its process is killed, and nothing
in it says whose it is. So each snakemake holds a shared lock on ``state/run.lock`` from reading the Snakefile to its
end, however that comes; who can lock that file alone knows that no other is there, and what is in ``.snakemake/locks``
is stale. The file says which process began its jobs last. A file system without locks goes without all this.
"""

import base64
import fcntl
import json
import logging
import os
import platform
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from compactvl.files import read_json_if_there, try_lock, write_error

LOCK = Path("state") / "run.lock"
LOCKED_FILES = Path(".snakemake") / "locks"
INCOMPLETE = Path(".snakemake") / "incomplete"
log = logging.getLogger(__name__)


class RunLock:
    """This snakemake's share of the folder; to be held for as long as the process lives.

    Attributes:
        other: who else is at work in the folder, in words; ``None`` for nobody.

    Raises:
        UserError: the lock file cannot be written.
    """

    def __init__(self) -> None:
        try:
            LOCK.parent.mkdir(parents=True, exist_ok=True)
            self._handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise write_error(LOCK, error) from error
        self.other: str | None = None
        # Empty while nobody has begun any jobs.
        holder, alone = read_json_if_there(LOCK) or {}, try_lock(self._handle)
        if alone is None:
            log.warning("The file system of %s has no locks: two snakemakes here do not notice each other.", LOCK)
            return
        if not alone:
            self.other = _in_words(holder)
        # A lock of another machine is not always seen here.
        elif holder.get("host") == platform.node() and LOCKED_FILES.is_dir() and any(LOCKED_FILES.iterdir()):
            shutil.rmtree(LOCKED_FILES)
            log.warning("A snakemake that was killed (%s) left a lock; removed.", _in_words(holder))
        fcntl.flock(self._handle, fcntl.LOCK_SH)

    def announce(self) -> None:
        """Write into the lock file that this process begins its jobs."""
        body = {"host": platform.node(), "pid": os.getpid(), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, (json.dumps(body) + "\n").encode(), 0)


def discard_incomplete(archives: Iterable[str | Path]) -> None:
    """Remove archives that Snakemake notes as incomplete; call it when no other snakemake is at work.

    An archive is ``ancient()`` to all that reads it. If a killed snakemake left it under its note (its job lived on and
    finished it), Snakemake 9 makes it again and stops there, with exit code 0 and without what was asked for. An archive
    that is missing has no such effect.
    """
    for archive in archives:
        # Longer names are split; those of archives are not.
        note = INCOMPLETE / base64.urlsafe_b64encode(str(archive).encode()).decode()
        if note.is_file() and Path(archive).is_file():
            Path(archive).unlink()
            log.warning("%s was being fetched when snakemake was killed; fetched again.", archive)


def _in_words(holder: dict[str, Any]) -> str:
    if not holder:
        return "a process that has begun no jobs yet"
    return f"process {holder['pid']} on {holder['host']}, started {holder['started']}"
