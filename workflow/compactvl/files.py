"""Atomic writes, hashes and JSON: nothing in the tree is ever half-written."""

import contextlib
import errno
import fcntl
import glob
import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compactvl.errors import UserError

log = logging.getLogger(__name__)
CHUNK = 1 << 20
ROOM = 1 << 20
"""Bytes free below which a write that failed for no named reason failed for want of space."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
TICK_NS = 100_000_000
"""Time in which a file can be written twice and have the same times: its hash is not remembered so soon."""
_hashed: dict[str, tuple[dict[str, int], str]] = {}


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; move it there on success, remove it on failure.

    The temporary name keeps ``path``'s suffix, so writers that look at it (``np.save``) behave. What a killed process left
    of an earlier attempt goes away.

    Raises:
        UserError: the disk is full or the folder cannot be written; nothing is left behind.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.stem}-{platform.node()}-"
        _remove_left(path, prefix)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{prefix}{os.getpid()}-", suffix=path.suffix)
        os.close(handle)
    except OSError as error:
        raise write_error(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; outputs follow the umask like any other file.
        umask = os.umask(0)
        os.umask(umask)
        with contextlib.suppress(PermissionError):  # vfat and some network file systems have no modes
            temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as file:
            _sync(file.fileno())
        os.replace(temporary, path)
    except UserError:
        raise
    except Exception as error:
        # torch, safetensors and tokenizers have error types of their own for a disk that is full.
        if not isinstance(error, OSError) and not _is_full(path.parent):
            raise
        raise write_error(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _sync(handle: int) -> None:
    """Have a file on the disk before its name is; some network file systems cannot say when it is."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _remove_left(path: Path, prefix: str) -> None:
    """Remove temporary files of processes of this machine that are no more."""
    for left in path.parent.glob(f"{glob.escape(prefix)}*{glob.escape(path.suffix)}"):
        number = left.name.removeprefix(prefix).split("-")[0]
        if number.isdigit() and not _is_alive(int(number)):
            left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM  # another user's
    return True


def try_lock(handle: int) -> bool | None:
    """Lock an open file for this process alone; ``False``: another one holds it, ``None``: there are no locks here.

    Some network file systems know no ``flock`` (Lustre without ``-o flock``).
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


@contextlib.contextmanager
def only_writer(folder: str | Path) -> Iterator[None]:
    """Hold a folder while its files are written; wait while another process does.

    A job outlives a snakemake that was killed, and the next snakemake starts the same job. The lock ends with its
    process and leaves no file, and no folder without files: an output that is one of many in its folder is held by an
    empty folder of its name. File systems without locks go without.

    Raises:
        UserError: the folder cannot be made.
    """
    folder = Path(folder)
    made = [folder, *(path for path in folder.parents if not path.exists())]
    handle = _held(folder)
    while not _is_at(handle, folder):  # who held it wrote nothing, and removed it
        os.close(handle)
        handle = _held(folder)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # not empty: something was written
            for path in made:
                path.rmdir()
        os.close(handle)


def _held(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise write_error(folder, error) from error
    if try_lock(handle) is False:
        log.info("waiting: another process writes %s", folder)
        fcntl.flock(handle, fcntl.LOCK_EX)
    return handle


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def write_error(path: Path, error: Exception) -> UserError:
    """Return what to tell the user when writing ``path`` failed."""
    number = getattr(error, "errno", None)
    # numpy gives a short write no number.
    if number is None and _is_full(path.parent):
        number = errno.ENOSPC
    remedy = "free some space and run again" if number in FULL_DISK else "make its folder writable or choose another"
    return UserError(f"cannot write {path}: {os.strerror(number) if number else error}; {remedy}")


def _is_full(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < ROOM


def sha256_bytes(data: bytes | memoryview) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, read in blocks of 1 MiB.

    Raises:
        UserError: the file is missing or unreadable.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(CHUNK):
                digest.update(block)
    except OSError as error:
        raise _read_error(path, error) from error
    return digest.hexdigest()


def _read_error(path: str | Path, error: OSError) -> UserError:
    return UserError(f"cannot read {path}: {error.strerror}; make it first (run snakemake) or correct the path")


def file_identity(path: str | Path) -> dict[str, int]:
    """Return what another content of a file comes with: inode, size and times. A change time cannot be set back."""
    status = os.stat(path)
    return {
        "inode": status.st_ino,
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "changed_ns": status.st_ctime_ns,
    }


def sha256_once(path: str | Path) -> str:
    """Return the SHA-256 of a file, computed once a process while the file keeps its identity.

    Raises:
        UserError: see :func:`sha256_file`.
    """
    name = os.path.abspath(path)
    if name in _hashed and os.path.exists(name) and _hashed[name][0] == file_identity(name):
        return _hashed[name][1]
    begun, found = time.time_ns(), sha256_file(path)
    identity = file_identity(path)
    if max(identity["modified_ns"], identity["changed_ns"]) < begun - TICK_NS:
        _hashed[name] = identity, found
    return found


def digest_of(value: Any) -> str:
    """Return the SHA-256 of a JSON-serialisable value in canonical form (sorted keys, no spaces).

    It may hold names of files that are not UTF-8, which Python reads as lone surrogates.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256_bytes(text.encode(errors="surrogatepass"))


def json_text(value: Any) -> str:
    """Return ``value`` as every JSON file of the tree is written: indented, with a final newline."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically, with a final newline."""
    with atomic_path(path) as temporary:
        temporary.write_text(json_text(value), encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        UserError: the file is missing, not UTF-8, or not JSON; the message names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise _read_error(path, error) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(
            f"{path} is not valid JSON ({error}); delete it and run the stage that makes it again"
        ) from error


def read_json_if_there(path: str | Path) -> Any:
    """Return the content of a JSON file, ``None`` where there is none or it cannot be read."""
    try:
        return read_json(path)
    except UserError:
        return None
