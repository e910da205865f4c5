"""Is a file what its record says? Every reader asks before it uses one.

Hashing runs at 0.3 to 1.8 GB/s, so a file is hashed once a process, when it is first read, and again only if its inode,
size or times changed. Token stores of hundreds of GB would cost each job minutes: of a big file, a stamp under
``state/verified/`` remembers these for later processes. ``compactvl verify`` looks at neither and hashes everything.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compactvl.errors import UserError
from compactvl.files import digest_of, file_identity, read_json_if_there, sha256_once, write_json
from compactvl.records.record import MANIFEST, provenance_path, read_manifest, read_record

STAMPS = Path("state") / "verified"
BIG = 4_000_000_000
"""Bytes from which a file is stamped."""


def check_file(path: str | Path, files: Mapping[str, str], record: str | Path) -> None:
    """Check one file before it is read.

    Args:
        path: the file.
        files: the record's ``files``: name, relative to the record's folder → SHA-256.
        record: where these are written.

    Raises:
        UserError: the file is missing, not recorded, or not what was recorded.
    """
    path = Path(path)
    name = os.path.relpath(path, Path(record).parent)
    if not path.is_file():
        problem = "is missing"
    elif name not in files:
        problem = f"is not in {Path(record).name}"
    elif not is_intact(path, files[name]):
        problem = f"differs from {Path(record).name}"
    else:
        return
    # Snakemake makes an intermediate file that is missing only where it is asked for it, or something after it is to be made.
    raise UserError(f"{path} {problem}; delete {record} and run: snakemake {record}")


def check_files(folder: str | Path, *names: str, stage: str | None = None) -> dict[str, Any]:
    """Check files of a folder against its manifest; return the manifest.

    Raises:
        UserError: no manifest, another stage's, or see :func:`check_file`.
    """
    folder = Path(folder)
    manifest = read_manifest(folder, stage)
    for name in names:
        check_file(folder / name, manifest["files"], folder / MANIFEST)
    return manifest


def check_recorded(path: str | Path, record: str | Path) -> dict[str, Any]:
    """Check a file against the JSON record beside it, as converted weights have one; return the record.

    Raises:
        UserError: no record or an edited one, or see :func:`check_file`.
    """
    body = read_record(record)
    check_file(path, body["files"], record)
    return body


def check_made(record: str | Path) -> None:
    """Check every file that a record and its provenance vouch for.

    Raises:
        UserError: see :func:`check_recorded`.
    """
    record = Path(record)
    for vouching in (record, provenance_path(record)):
        files = read_record(vouching).get("files", {})
        for name in files:
            check_file(record.parent / name, files, vouching)


def is_intact(path: Path, sha256: str) -> bool:
    """Return whether a file's content has this SHA-256; it is hashed once a process, a big file once a change."""
    identity = file_identity(path)
    if identity["size"] < BIG:
        return sha256_once(path) == sha256
    stamp = STAMPS / f"{digest_of(str(path.resolve()))}.json"
    body = {"path": str(path.resolve()), "sha256": sha256, **identity}
    if read_json_if_there(stamp) == body:
        return True
    intact = sha256_once(path) == sha256
    if intact and file_identity(path) == identity:
        with contextlib.suppress(UserError):  # a read-only folder: hashed again next time
            write_json(stamp, body)
    return intact
