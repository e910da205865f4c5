"""What says that a folder of a user's own images changed, without reading the images."""

import os
from pathlib import Path

from compactvl.files import digest_of, sha256_file


def listing_digest(folder: str | Path) -> str | None:
    """Return a digest that changes when a file below ``folder`` does; ``None`` where there is no such folder.

    It covers names, sizes and times. A folder that DVC tracks has ``<folder>.dvc`` beside it, with a hash of the content:
    that counts instead, because a checkout gives files new times.
    """
    folder = Path(folder)
    tracked = folder.with_name(f"{folder.name}.dvc")
    if tracked.is_file():
        return sha256_file(tracked)
    if not folder.is_dir():
        return None
    return digest_of(sorted(_entries(folder, "")))


def _entries(folder: str | Path, below: str) -> list[tuple[str, int, int]]:
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_dir():
                found += _entries(entry.path, f"{name}/")
            elif entry.is_file():
                about = entry.stat()
                found.append((name, about.st_size, about.st_mtime_ns))
    return found
