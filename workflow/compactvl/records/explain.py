"""Where a number comes from: the chain of records from a file of the tree back to the pinned packages.

Everything is read from records; nothing is computed again but hashes. A step is one record: what it vouches for, what it
was made with, and what it was made from. See :mod:`compactvl.records.explain_text` for its form on the terminal.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from compactvl.dag.stages import code_now
from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file
from compactvl.records.layout import Layout
from compactvl.records.record import DIGEST, MANIFEST, PROVENANCE, digest_holds, is_provenance, provenance_path
from compactvl.records.verify import input_path

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


@dataclass(frozen=True)
class Input:
    """One thing a step read.

    Attributes:
        name: as its record names it, e.g. ``dataset scenes``.
        file: the file whose SHA-256 is recorded; ``None`` for what is no file of the tree.
        sha256: what is recorded.
        step: record path of the step that made it, or ``None``.
        source: facts of the pinned package it is, or ``None``.
    """

    name: str
    file: File | None
    sha256: str
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


def differs(file: File) -> bool:
    """Whether a file is missing or not as recorded."""
    return file.status not in (OK, UNKNOWN)


class Chain:
    """The steps behind one file, that file's own step first.

    Args:
        target: a file or folder of the tree.
        layout: where everything is.
        hashing: whether files are hashed; otherwise only their presence is looked at.
        only: of a table, the results that count (paths); ``None``: all.

    Attributes:
        target: the path asked for. steps: by the path of their record, each before what it was made from.

    Raises:
        UserError: no record vouches for the target; the message names those nearby.
    """

    def __init__(
        self, target: Path, layout: Layout | None = None, *, hashing: bool = True, only: set[str] | None = None
    ) -> None:
        self.target, self.layout, self._hashing = target, layout or Layout(), hashing
        self._hashes: dict[Path, str | None] = {}
        self._vouching: dict[Path, dict[str, Path]] = {}
        self._weights: dict[str, Path] | None = None
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
                if differs(file):
                    lines[f"{file.path}: {file.status}, recorded in {step.record}"] = None
            for item in step.inputs:
                if item.file is not None and differs(item.file):
                    lines[f"{item.file.path}: {item.file.status} since {step.record} was made from it"] = None
        return list(lines)

    def sources(self) -> dict[str, Input]:
        """Return the pinned packages at the chain's ends, by name."""
        return {i.name: i for step in self.steps.values() for i in step.inputs if i.source is not None}

    def below(self, records: set[str]) -> Iterator[str]:
        """Yield the records of ``records`` and of every step below them, each once."""
        seen, waiting = set(), sorted(records)
        while waiting:
            record = waiting.pop(0)
            if record not in seen:
                seen.add(record)
                yield record
                waiting += [item.step for item in self.steps[record].inputs if item.step is not None]

    # From a path to the record that vouches for it.

    def _record_of(self, path: Path) -> Path | None:
        if path.is_dir():
            path = path / MANIFEST
        if is_provenance(path):
            name = MANIFEST if path.name == PROVENANCE else path.name.removesuffix(f".{PROVENANCE}") + ".json"
            path = path.with_name(name)
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
                    owner = self._record_of(record) if is_provenance(record) else record
                    found |= {_plain(folder / name): owner for name in body["files"] if owner is not None}
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
        provenance = _read(provenance_path(record)) or {}
        step = Step(key, OK if digest_holds(body) else EDITED, body)
        self.steps[key] = step
        if digest_holds(provenance):
            step.provenance = {name: value for name, value in provenance.items() if name != "record"}
        step.settings = _settings(record, body)
        files = {**body.get("files", {}), **provenance.get("files", {})}
        step.files = [self._file(record.parent / name, digest) for name, digest in files.items()]
        step.code_now = code_now(record, body)
        for name, digest in _inputs(body).items():
            if only is None or not name.startswith("file ") or name.removeprefix("file ") in only:
                step.inputs.append(self._input(name, digest, record, body))
        return key

    def _input(self, name: str, digest: str, record: Path, body: Mapping[str, Any]) -> Input:
        if body.get("stage") in ("curate", "weights") and (source := self._source(name)) is not None:
            return Input(name, self._file(self.layout.source(source["file"]), digest), digest, source=source)
        path = self._derived(name, digest, body) or input_path(name, self.layout, record, body)
        if path is None:
            return Input(name, None, digest)
        # What an encoder records of its images and weights is not the hash of their record.
        whole = name not in ("images", "weights")
        file = self._file(path, digest) if whole else File(_plain(path), digest, OK)
        owner = self._record_of(path) or (path if path.name == MANIFEST else None)
        return Input(name, file, digest, None if owner is None else self._add(owner))

    def _derived(self, name: str, digest: str, body: Mapping[str, Any]) -> Path | None:
        """Return the record behind a bare hash: of an encoder's images or weights, of a compressed store's run or tokens."""
        if body.get("stage") == "encode" and name in ("run", "tokens"):
            made = {"run": self.layout.run("*", "*", 0).with_name("seed*"), "tokens": self.layout.tokens("*", "*")}
            found = self.layout.root.glob(str((made[name] / MANIFEST).relative_to(self.layout.root)))
            return next((path for path in sorted(found) if sha256_file(path) == digest), None)
        if name == "images":
            path = self.layout.dataset(str(body.get("dataset", {}).get("name"))) / MANIFEST
            return path if (_read(path) or {}).get("images_sha256") == digest else None
        if name != "weights":
            return None
        if self._weights is None:
            records = {path: _read(path) for path in sorted(self.layout.weights("x").parent.glob("*.json"))}
            self._weights = {
                found: path for path, known in records.items() if _is_record(known) for found in known["files"].values()
            }
        return self._weights.get(digest)

    def _file(self, path: Path, digest: str) -> File:
        if not path.is_file():
            return File(_plain(path), digest, MISSING)
        if not self._hashing:
            return File(_plain(path), digest, UNKNOWN)
        if path not in self._hashes:
            self._hashes[path] = sha256_file(path)
        return File(_plain(path), digest, OK if self._hashes[path] == digest else CHANGED)

    def _source(self, name: str) -> dict[str, Any] | None:
        """Return the settings of a source, and what DVC pins of its archive."""
        settings = _read(self.layout.settings("sources", name)) or _configured_sources(self.layout.root).get(name)
        if not isinstance(settings, dict) or "file" not in settings:
            return None
        pin = Path(f"{self.layout.source(settings['file'])}.dvc")
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


def _inputs(body: Mapping[str, Any]) -> dict[str, str]:
    """Return a record's inputs; a text encoder's weights are among the facts of the encoder."""
    inputs = dict(body.get("inputs", {}))
    if body.get("stage") == "embed" and (weights := body.get("encoder", {}).get("weights")):
        inputs["weights"] = weights
    return inputs


def _settings(record: Path, body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("stage") == "train":
        return _read(record.with_name("settings.json")) or {}
    return body.get("settings") or body.get("encoder") or {}


def _configured_sources(root: Path) -> dict[str, Any]:
    path = root / "config.yaml"
    body = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return body.get("sources") or {}


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
