"""Where a number comes from: the chain of records from a file of the tree back to the pinned packages.

Everything is read from records; nothing is computed again but hashes. A step is one record: what it vouches for, what it
was made with, and what it was made from. See :mod:`compactvl.records.explain_text` for its form on the terminal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from compactvl.errors import UserError
from compactvl.files import read_json_if_there
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, here, is_provenance, provenance_path, record_path
from compactvl.records.verify import damage, differs, has_files


@dataclass
class Step:
    """One record of the chain.

    Attributes:
        record: its path.
        body: its content. provenance: the content of the provenance beside it. Either is empty where it cannot be read.
        settings: what was set for it.
        files: what it and its provenance vouch for, path → SHA-256.
        inputs: what it was made from, path → SHA-256.
        steps: input → record of the step that made it. sources: input → facts of the pinned package it is.
        problems: one line for each thing that is missing or not as recorded.
        code_now: digest that its code has now, or ``None`` where that cannot be said.
    """

    record: str
    body: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, str] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    code_now: str | None = None


class Chain:
    """The steps behind one file, that file's own step first.

    Args:
        target: a file or folder of the tree.
        code_now: modules in which a step's code began → digest of their present code, or ``None``.
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
        code_now: Callable[[Sequence[str]], str | None],
        *,
        hashing: bool = True,
        only: set[str] | None = None,
    ) -> None:
        self.target, self.layout, self._code_now = target, Layout(), code_now
        self._hashed: dict[Path, str] | None = {} if hashing else None
        self._vouching: dict[Path, dict[str, Path]] = {}
        self.steps: dict[str, Step] = {}
        record = self._record_of(target)
        if record is None:
            raise UserError(_unknown(target))
        self.first = self._add(record, only)

    def problems(self) -> list[str]:
        """Return one line for everything of the chain that is missing or not as recorded."""
        return list(dict.fromkeys(line for step in self.steps.values() for line in step.problems))

    # From a path to the record that vouches for it.

    def _record_of(self, path: Path) -> Path | None:
        if path.is_dir():
            path = path / MANIFEST
        if is_provenance(path):
            return record_path(path)
        if path.suffix == ".json" and path.is_file() and has_files(read_json_if_there(path)):
            return path
        folders = [path.parent, self.layout.results / "reports"]
        return next((found for folder in folders if (found := self._vouched(folder).get(here(path)))), None)

    def _vouched(self, folder: Path) -> dict[str, Path]:
        """Return file → the record in ``folder`` that vouches for it."""
        if folder not in self._vouching:
            found: dict[str, Path] = {}
            for record in sorted(folder.glob("*.json")):
                body = read_json_if_there(record)
                if has_files(body):
                    owner = record_path(record) if is_provenance(record) else record
                    found |= {here(folder / name): owner for name in body["files"]}
            self._vouching[folder] = found
        return self._vouching[folder]

    # From a record to its step and those below.

    def _add(self, record: Path, only: set[str] | None = None) -> str:
        key = here(record)
        if key in self.steps:
            return key
        step = self.steps[key] = Step(key)
        for path, content in ((record, step.body), (provenance_path(record), step.provenance)):
            body = read_json_if_there(path)
            step.problems += damage(path, body, self._hashed) if path.is_file() else [f"{path}: missing"]
            if has_files(body):
                content |= body
                step.files |= {here(path.parent / name): sha256 for name, sha256 in body["files"].items()}
        step.provenance.pop("record", None)
        step.settings = _settings(record, step.body)
        step.code_now = self._code_now(step.provenance.get("modules", ()))
        read = step.body.get("inputs", {}) | step.provenance.get("own_files", {})
        step.inputs = {path: sha256 for path, sha256 in read.items() if only is None or path in only}
        for name, sha256 in step.inputs.items():
            self._follow(step, name, Path(name), sha256)
        return key

    def _follow(self, step: Step, name: str, path: Path, sha256: str) -> None:
        if not path.is_file():
            step.problems.append(f"{name}: missing, {step.record} was made from it")
        elif differs(path, sha256, self._hashed):
            step.problems.append(f"{step.record}: stale, made from another {name}")
        if path.parent == self.layout.sources:
            step.sources[name] = self._source(path)
        elif (owner := self._record_of(path) or (path if path.name == MANIFEST else None)) is not None:
            step.steps[name] = self._add(owner)

    def _source(self, archive: Path) -> dict[str, Any]:
        """Return the settings of the source with this archive, and what DVC pins of it."""
        folder = self.layout.settings("sources", "x").parent
        known = [read_json_if_there(path) for path in sorted(folder.glob("*.json"))]
        if (config := self.layout.root / "config.yaml").is_file():
            known += (yaml.safe_load(config.read_text(encoding="utf-8")).get("sources") or {}).values()
        settings = next((body for body in known if body and body.get("file") == archive.name), {})
        pin = Path(f"{archive}.dvc")
        outs = yaml.safe_load(pin.read_text(encoding="utf-8"))["outs"] if pin.is_file() else [{}]
        return {**settings, "dvc": str(pin) if pin.is_file() else None, "md5": outs[0].get("md5")}


def _settings(record: Path, body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("stage") == "train":
        return read_json_if_there(record.with_name("settings.json")) or {}
    return body.get("settings") or body.get("encoder") or {}


def _unknown(target: Path) -> str:
    if not target.exists():
        return f"{target} is missing: give a file or folder that the pipeline made"
    folder = target if target.is_dir() else target.parent
    near = {path for path in [*folder.glob("*.json"), *folder.glob("*/*.json")] if not is_provenance(path)}
    known = sorted(here(path) for path in near if has_files(read_json_if_there(path)))
    hint = f"records nearby: {', '.join(known[:5])}" if known else "there is no record in its folder"
    return f"{target}: no record vouches for it; {hint}"
