"""What says that a folder of a user's own images changed, without reading the images."""

import os
import stat
from pathlib import Path
from typing import Any

from compactvl.config.overlay import read_yaml
from compactvl.errors import UserError
from compactvl.files import digest_of, sha256_file


def listing_digest(folder: str | Path) -> str | None:
    """Return a digest that changes when a file below ``folder`` does; ``None`` where there is no such folder.

    It covers names, sizes and times. A folder that DVC tracks has ``<folder>.dvc`` beside it, with a hash of the content,
    which counts instead of the times, because a checkout gives files new ones.

    Raises:
        UserError: a folder that cannot be read, or a ``.dvc`` file that is none.
    """
    folder = Path(folder)
    files = sorted(_entries(folder, "", ())) if folder.is_dir() else None
    if dvc_out(folder) is None:
        return None if files is None else digest_of(files)
    tracked = sha256_file(dvc_file(folder))
    return tracked if files is None else digest_of([tracked, [(name, size) for name, size, _ in files]])


def dvc_file(path: Path) -> Path:
    """Return where DVC keeps what it knows of a file or folder that was added to it."""
    return path.with_name(f"{path.name}.dvc")


def dvc_out(path: Path) -> dict[str, Any] | None:
    """Return what ``<path>.dvc`` says of a file or folder; ``None`` where there is no such file.

    Raises:
        UserError: it cannot be read, is no YAML, or does not say a hash of ``path``.
    """
    record = dvc_file(path)
    if not os.path.isfile(record):
        return None
    outs = read_yaml(record).get("outs")
    for out in outs if isinstance(outs, list) else []:
        if isinstance(out, dict) and out.get("path") == path.name and "md5" in out:
            return out
    raise UserError(f"{record} is not a DVC file for {path.name}; make it again with 'dvc add {path}'")


def _entries(folder: str | Path, below: str, above: tuple[tuple[int, int], ...]) -> list[tuple[str, int, int]]:
    """Return (name, size, time) of each file, links followed, but none that leads back to a folder it is in."""
    try:
        about = os.stat(folder)
        with os.scandir(folder) as scanned:
            entries = list(scanned)
    except OSError as error:
        raise UserError(f"cannot read the folder {folder}: {error.strerror}; let it be read") from error
    inside, found = (*above, (about.st_dev, about.st_ino)), []
    for entry in entries:
        name = f"{below}{entry.name}"
        try:
            about = entry.stat()
        except OSError:  # a link that leads nowhere, or to itself
            continue
        if stat.S_ISREG(about.st_mode):
            found.append((name, about.st_size, about.st_mtime_ns))
        elif stat.S_ISDIR(about.st_mode) and (about.st_dev, about.st_ino) not in inside:
            found += _entries(entry.path, f"{name}/", inside)
    return found
