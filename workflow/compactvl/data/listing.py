"""What says that a folder of a user's own images changed, without reading the images."""

import os
import stat
from pathlib import Path

from compactvl.config.overlay import read_yaml
from compactvl.errors import UserError
from compactvl.files import digest_of, sha256_file


def listing_digest(folder: str | Path) -> str | None:
    """Return a digest that changes when a file below ``folder`` does; ``None`` where there is no such folder.

    It covers names, sizes and times. A folder that DVC tracks has ``<folder>.dvc`` beside it, with a hash of the content,
    which counts instead, because a checkout gives files new times. Where number and size of the files are not what that
    says (something changed since ``dvc add``), names and sizes count too.

    Raises:
        UserError: a folder that cannot be read, or a ``.dvc`` file that is no YAML.
    """
    folder = Path(folder)
    files = sorted(_entries(folder, "", ())) if folder.is_dir() else None
    tracked = folder.with_name(f"{folder.name}.dvc")
    if not tracked.is_file():
        return None if files is None else digest_of(files)
    known = (read_yaml(tracked).get("outs") or [{}])[0]
    if files is None or (known.get("nfiles"), known.get("size")) == (len(files), sum(size for _, size, _ in files)):
        return sha256_file(tracked)
    return digest_of([sha256_file(tracked), [(name, size) for name, size, _ in files]])


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
