"""Checking the tree: whatever records hashes of the files beside it is read, and the files are hashed again."""

from collections.abc import Iterable
from pathlib import Path

from compactvl.files import read_json, sha256_file


def find_records(folders: Iterable[Path]) -> list[Path]:
    """Return every JSON file below ``folders`` that records hashes (``files``: name → SHA-256), sorted."""
    candidates = sorted({path for folder in folders for path in folder.rglob("*.json") if path.is_file()})
    return [path for path in candidates if _files_of(path) is not None]


def problems_of(record: Path) -> list[str]:
    """Return one line for each file that is missing or differs from what ``record`` says."""
    problems = []
    for name, expected in (_files_of(record) or {}).items():
        path = record.parent / name
        if not path.is_file():
            problems.append(f"{path}: missing, recorded in {record.name}")
        elif sha256_file(path) != expected:
            problems.append(f"{path}: content differs from {record.name}")
    return problems


def _files_of(path: Path) -> dict[str, str] | None:
    body = read_json(path)
    files = body.get("files") if isinstance(body, dict) else None
    return files if isinstance(files, dict) and all(isinstance(value, str) for value in files.values()) else None
