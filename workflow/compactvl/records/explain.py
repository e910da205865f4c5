"""Where a number comes from: the chain of records from a file of the tree back to the pinned packages.

Everything is read from records; nothing is computed again but hashes. A step is one record: what it vouches for, what it
was made with, and what it was made from. See :mod:`compactvl.records.explain_text` for its form on the terminal.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file
from compactvl.records.layout import Layout
from compactvl.records.record import DIGEST, MANIFEST, digest_holds, is_provenance, provenance_path, record_path

OK, CHANGED, MISSING, UNKNOWN = "ok", "CHANGED", "missing", "not looked at"
EDITED = "EDITED"


@dataclass(frozen=True)
class File:
    """One file and how it compares with what is recorded of it.

    Attributes:
        path: where it is.
        sha256: what is recorded.
        status: :data:`OK`, :data:`CHANGED`, :data:`MISSING` or :data:`UNKNOWN`.
    """

    path: str
    sha256: str
    status: str

    @property
    def differs(self) -> bool:
        """Whether it is missing or not as recorded."""
        return self.status not in (OK, UNKNOWN)


@dataclass(frozen=True)
class Input(File):
    """One file a step read.

    Attributes:
        step: record of the step that made it, or ``None``.
        source: facts of the pinned package it is, or ``None``.
    """

    step: str | None = None
    source: Mapping[str, Any] | None = None


@dataclass
class Step:
    """One record of the chain.

    Attributes:
        record: its path. status: :data:`OK`, :data:`EDITED` or :data:`MISSING` of the record itself.
        body: its content. provenance: the content of the provenance beside it; empty where there is none.
        settings: what was set for it. files: what it vouches for. inputs: what it read.
        code_now: digest of the present code of its stage, or ``None`` where that cannot be said.
    """

    record: str
    status: str
    body: dict[str, Any]
    provenance: dict[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    code_now: str | None = None

    @property
    def stage(self) -> str:
        """Name of its stage."""
        return str(self.body.get("stage", "unknown"))


class Chain:
    """The steps behind one file, that file's own step first.

    Args:
        target: a file or folder of the tree.
        code_now: record's content → digest of the present code of its stage, or ``None``.
        hashing: whether files are hashed; otherwise only their presence is looked at.
        only: of a table, the results that count (paths); ``None``: all.

    Attributes:
        target: the path asked for. steps: by the path of their record, each before what it was made from.

    Raises:
        UserError: no record vouches for the target; the message names those nearby.
    """

    def __init__(
        self,
        target: Path,
        code_now: Callable[[Mapping[str, Any]], str | None],
        *,
        hashing: bool = True,
        only: set[str] | None = None,
    ) -> None:
        self.target, self.layout, self._code_now, self._hashing = target, Layout(), code_now, hashing
        self._hashes: dict[Path, str] = {}
        self._vouching: dict[Path, dict[str, Path]] = {}
        self.steps: dict[str, Step] = {}
        record = self._record_of(target)
        if record is None:
            raise UserError(_unknown(target))
        self.first = self._add(record, only)

    def problems(self) -> list[str]:
        """Return one line for everything of the chain that is missing or not as recorded."""
        lines: dict[str, None] = {}
        for step in self.steps.values():
            if step.status != OK:
                lines[f"{step.record}: {step.status}"] = None
            if not step.provenance:
                lines[f"{provenance_path(step.record)}: missing, or edited"] = None
            for file in step.files:
                if file.differs:
                    lines[f"{file.path}: {file.status}, recorded in {step.record}"] = None
            for item in step.inputs:
                if item.differs:
                    lines[f"{item.path}: {item.status} since {step.record} was made from it"] = None
        return list(lines)

    # From a path to the record that vouches for it.

    def _record_of(self, path: Path) -> Path | None:
        if path.is_dir():
            path = path / MANIFEST
        if is_provenance(path):
            return record_path(path)
        if path.suffix == ".json" and path.is_file() and _is_record(_read(path)):
            return path
        folders = [path.parent, self.layout.results / "reports"]
        return next((found for folder in folders if (found := self._vouched(folder).get(_plain(path)))), None)

    def _vouched(self, folder: Path) -> dict[str, Path]:
        """Return file → the record in ``folder`` that vouches for it."""
        if folder not in self._vouching:
            found: dict[str, Path] = {}
            for record in sorted(folder.glob("*.json")):
                body = _read(record)
                if _is_record(body):
                    owner = record_path(record) if is_provenance(record) else record
                    found |= {_plain(folder / name): owner for name in body["files"]}
            self._vouching[folder] = found
        return self._vouching[folder]

    # From a record to its step and those below.

    def _add(self, record: Path, only: set[str] | None = None) -> str:
        key = _plain(record)
        if key in self.steps:
            return key
        body = _read(record)
        if body is None:
            self.steps[key] = Step(key, MISSING, {})
            return key
        self.steps[key] = step = Step(key, OK if digest_holds(body) else EDITED, body)
        provenance = _read(provenance_path(record)) or {}
        if digest_holds(provenance):
            step.provenance = {name: value for name, value in provenance.items() if name != "record"}
        step.settings = _settings(record, body)
        files = {**body.get("files", {}), **step.provenance.get("files", {})}
        step.files = [File(*self._look(record.parent / name, digest)) for name, digest in files.items()]
        step.code_now = self._code_now(body)
        read = {**body.get("inputs", {}), **step.provenance.get("own_files", {})}
        step.inputs = [self._input(Path(name), read[name]) for name in read if only is None or name in only]
        return key

    def _input(self, path: Path, digest: str) -> Input:
        if path.parent == self.layout.sources:
            return Input(*self._look(path, digest), source=self._source(path))
        owner = self._record_of(path) or (path if path.name == MANIFEST else None)
        return Input(*self._look(path, digest), step=None if owner is None else self._add(owner))

    def _look(self, path: Path, digest: str) -> tuple[str, str, str]:
        """Return the path, the recorded hash and the status of a file."""
        if not path.is_file():
            return _plain(path), digest, MISSING
        if not self._hashing:
            return _plain(path), digest, UNKNOWN
        if path not in self._hashes:
            self._hashes[path] = sha256_file(path)
        return _plain(path), digest, OK if self._hashes[path] == digest else CHANGED

    def _source(self, archive: Path) -> dict[str, Any]:
        """Return the settings of the source with this archive, and what DVC pins of it."""
        folder = self.layout.settings("sources", "x").parent
        known = [_read(path) for path in sorted(folder.glob("*.json"))]
        if (config := self.layout.root / "config.yaml").is_file():
            known += (yaml.safe_load(config.read_text(encoding="utf-8")).get("sources") or {}).values()
        settings = next((body for body in known if body and body.get("file") == archive.name), {})
        pin = Path(f"{archive}.dvc")
        outs = yaml.safe_load(pin.read_text(encoding="utf-8"))["outs"] if pin.is_file() else [{}]
        return {**settings, "dvc": str(pin) if pin.is_file() else None, "md5": outs[0].get("md5")}


def _read(path: Path) -> Any:
    """Return a JSON file's content; ``None`` where it is missing or none."""
    try:
        return read_json(path)
    except UserError:
        return None


def _is_record(body: Any) -> bool:
    return isinstance(body, dict) and DIGEST in body and isinstance(body.get("files"), dict)


def _plain(path: Path) -> str:
    """Return a path without ``..`` and relative to the working folder where it is in it."""
    whole, here = Path(os.path.normpath(Path(path).absolute())), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)


def _settings(record: Path, body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("stage") == "train":
        return _read(record.with_name("settings.json")) or {}
    return body.get("settings") or body.get("encoder") or {}


def _unknown(target: Path) -> str:
    if not target.exists():
        return f"{target} is missing: give a file or folder that the pipeline made"
    folder = target if target.is_dir() else target.parent
    near = sorted(
        {_plain(path) for path in [*folder.glob("*.json"), *folder.glob("*/*.json")] if _is_record(_read(path))}
    )
    known = [path for path in near if not is_provenance(Path(path))]
    hint = f"records nearby: {', '.join(known[:5])}" if known else "there is no record in its folder"
    return f"{target}: no record vouches for it; {hint}"
