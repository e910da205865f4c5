"""Checking the tree: every record and every file it vouches for, and every step against what it was made from.

Three kinds of problem: a record or a file is missing or damaged; a step is stale, made from another input than the one
that is there now; a file is there that no record vouches for.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, digest_holds

DEPTH = {"curate": 4, "weights": 3, "encode": 5, "embed": 5, "train": 5, "evaluate": 5, "report": 3, "index": 3}
"""How far below the working folder a stage's record is."""
PAYLOADS = (".npy", ".npz", ".parquet", ".safetensors")
"""Suffixes of files that are never without a record."""


def find_records(folders: Iterable[Path]) -> list[Path]:
    """Return every JSON file below ``folders`` that is a record of files, or cannot be read; sorted."""
    candidates = sorted({path for folder in folders for path in folder.rglob("*.json") if path.is_file()})
    return [path for path in candidates if path.name == MANIFEST or _is_record(path)]


def problems_of(record: Path, hashed: dict[Path, str] | None = None) -> list[str]:
    """Return one line for each thing that is wrong with a record, its files or its inputs.

    Args:
        record: the record.
        hashed: hashes computed so far, so that a file of two records is read once; this record's are added.
    """
    hashed = {} if hashed is None else hashed
    try:
        body = read_json(record)
    except UserError as error:
        return [str(error)]
    if not _has_files(body):
        return [f"{record}: vouches for no files"]
    problems = []
    if not digest_holds(body):
        problems.append(f"{record}: edited or damaged")
    for name, expected in body["files"].items():
        path = _beside(record, name)
        if not path.is_file():
            problems.append(f"{path}: missing, recorded in {record.name}")
            continue
        if path not in hashed:
            hashed[path] = sha256_file(path)
        if hashed[path] != expected:
            problems.append(f"{path}: content differs from {record.name}")
    return problems + _stale(record, body)


def unrecorded(folders: Iterable[Path], records: Iterable[Path]) -> list[str]:
    """Return one line for each file below ``folders`` that should have a record and is in none of ``records``."""
    known = {_beside(record, name) for record in records for name in _files_of(record)}
    found = {path for folder in folders for path in folder.rglob("*") if path.suffix in PAYLOADS}
    return [f"{path}: no record vouches for it" for path in sorted(found - known) if not path.name.startswith(".")]


def _beside(record: Path, name: str) -> Path:
    return Path(os.path.normpath(record.parent / name))


def _is_record(path: Path) -> bool:
    try:
        return _has_files(read_json(path))
    except UserError:
        return True


def _files_of(record: Path) -> list[str]:
    try:
        body = read_json(record)
    except UserError:
        return []
    return list(body["files"]) if _has_files(body) else []


def _has_files(body: Any) -> bool:
    files = body.get("files") if isinstance(body, dict) else None
    return isinstance(files, dict) and all(isinstance(value, str) for value in files.values())


def _stale(record: Path, body: Mapping[str, Any]) -> list[str]:
    """Return one line for each input that is there with another content than the step was made from."""
    stage, inputs = body.get("stage"), body.get("inputs")
    depth = (3 if body.get("study") else 2) if stage == "collect" else DEPTH.get(stage)
    if depth is None or not isinstance(inputs, dict):
        return []
    root = record.absolute().parents[depth - 1]
    layout = Layout(root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root)
    changed = [
        path
        for name, expected in inputs.items()
        if (path := input_path(name, layout, record, body)) and path.is_file() and sha256_file(path) != expected
    ]
    if stage == "encode" and (path := _changed_images(layout, body)):
        changed.append(path)
    return [f"{record}: stale, made from another {path}" for path in changed]


def input_path(name: str, layout: Layout, record: Path, body: Mapping[str, Any]) -> Path | None:
    """Return the file whose SHA-256 an input is; ``None`` for what is no file of the tree."""
    kind, _, value = name.partition(" ")
    if kind in ("dataset", "set"):
        return layout.dataset(value or record.parent.name) / MANIFEST
    if kind in ("tokens", "texts") and "/" in value:
        return getattr(layout, kind)(*value.split("/", 1)) / MANIFEST
    if kind == "weights" and value:
        return layout.weights(value).with_suffix(".json")
    if kind == "run" and "study" in body:
        return layout.run(body["study"], value or body["variant"], body["seed"]) / MANIFEST
    if name.startswith("encoder settings "):
        return layout.settings("encoders", name.removeprefix("encoder settings "))
    return layout.root / value if kind == "file" else None


def _changed_images(layout: Layout, body: Mapping[str, Any]) -> Path | None:
    """Return a data set's manifest if a token store was made of other images than it lists."""
    path = layout.dataset(str(body.get("dataset", {}).get("name"))) / MANIFEST
    if "images" not in body["inputs"] or not path.is_file():
        return None
    try:
        listed = read_json(path).get("images_sha256")
    except (UserError, AttributeError):
        # Not a manifest: that is said where it is.
        return None
    return path if listed not in (None, body["inputs"]["images"]) else None
