"""Checking the tree: every record and every file it vouches for, and every step against what it was made from.

Four kinds of problem: a record or a file is missing or damaged; a step is stale, made from another input, setting or
file of the user's than the one that is there now; a file is there that no record vouches for.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from compactvl.errors import UserError
from compactvl.files import read_json_if_there, sha256_file
from compactvl.progress import track
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, digest_holds, is_provenance, provenance_path, record_path


def verify(folders: Iterable[Path], layout: Layout) -> tuple[list[str], int, int]:
    """Verify all that is below ``folders`` of the tree.

    Returns:
        One line for each thing that is wrong; the number of records and of files that were hashed.

    Raises:
        UserError: there is no record.
    """
    folders, hashed = list(folders), {}
    records = find_records(folders)
    if not records:
        raise UserError("nothing to verify: no manifest found; run snakemake first")
    problems = []
    for record, body in track(records.items(), unit="record", label="verify"):
        problems += damage(record, body, hashed)
        if has_files(body):
            problems += stale(record, body, hashed)
    # The record of a figure is in another folder.
    problems += unrecorded(folders, find_records(layout.made) | records)
    return problems, len(records), len(hashed)


def find_records(folders: Iterable[Path]) -> dict[Path, Any]:
    """Return every JSON file below ``folders`` that is a record of files, with its content; ``None`` for what is no JSON.

    The provenance beside a record is one too. Sorted by path.
    """
    found = {}
    for path in sorted({path for folder in folders for path in folder.rglob("*.json") if path.is_file()}):
        body = read_json_if_there(path)
        if body is None or has_files(body) or path.name == MANIFEST:
            found[path] = body
    return found


def damage(record: Path, body: Any, hashed: dict[Path, str] | None) -> list[str]:
    """Return one line for each thing that is wrong with a record and the files it vouches for.

    Args:
        record: the record. body: its content.
        hashed: hashes computed so far, so that a file of many records is read once; this record's are added. ``None``:
            files are not hashed, only looked for.
    """
    if not has_files(body):
        return [f"{record}: damaged, or vouches for no files"]
    problems = [] if digest_holds(body) else [f"{record}: edited or damaged"]
    if "stage" in body and not is_provenance(record) and not provenance_path(record).is_file():
        problems.append(f"{provenance_path(record)}: missing")
    for path, expected in _files(record, body).items():
        if not path.is_file():
            problems.append(f"{path}: missing, recorded in {record.name}")
        elif differs(path, expected, hashed):
            problems.append(f"{path}: content differs from {record.name}")
    return problems


def stale(record: Path, body: Mapping[str, Any], hashed: dict[Path, str]) -> list[str]:
    """Return one line for each thing that is here with another content than a record, or a provenance, was made from."""
    made_from, step = body.get("inputs", {}), record
    if is_provenance(record):
        made_from, step = body.get("settings", {}) | body.get("own_files", {}), record_path(record)
    changed = [
        path for path, sha256 in made_from.items() if Path(path).is_file() and differs(Path(path), sha256, hashed)
    ]
    return [f"{step}: stale, made from another {path}" for path in changed]


def differs(path: Path, expected: str, hashed: dict[Path, str] | None) -> bool:
    """Whether a file that is there has another content; see :func:`damage`."""
    if hashed is not None and path not in hashed:
        hashed[path] = sha256_file(path)
    return hashed is not None and hashed[path] != expected


def unrecorded(folders: Iterable[Path], records: Mapping[Path, Any]) -> list[str]:
    """Return one line for each file below ``folders`` that is in none of ``records`` and is no record itself."""
    known = {path for record, body in records.items() if has_files(body) for path in _files(record, body)}
    found = {path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}
    return [f"{path}: no record vouches for it" for path in sorted(found - known - records.keys())]


def _files(record: Path, body: Mapping[str, Any]) -> dict[Path, str]:
    return {Path(os.path.normpath(record.parent / name)): sha256 for name, sha256 in body["files"].items()}


def has_files(body: Any) -> bool:
    """Whether the content of a JSON file names files and their hashes, as a record does."""
    files = body.get("files") if isinstance(body, dict) else None
    return isinstance(files, dict) and all(isinstance(value, str) for value in files.values())
