"""Records: the small JSON files that vouch for the files beside them, and the provenance beside each record.

A record (``manifest.json`` of a folder, or ``<name>.json`` beside its files) holds only what is a function of
(data, settings, seed): a stage that runs again with the same outcome leaves the same bytes, so nothing after it runs
again. What differs from run to run (seconds, device, versions, code) is in ``provenance.json``, or
``<name>.provenance.json``. Both end with ``digest``, the hash of everything else in them: an edited one is not used.
"""

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compactvl import __version__
from compactvl.errors import UserError
from compactvl.files import digest_of, read_json, sha256_file, sha256_once, write_json
from compactvl.records.machine import determinism, package_versions, processor

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
DIGEST = "digest"


@dataclass(frozen=True)
class Made:
    """How files are made. Two jobs of one key have one outcome.

    Paths are relative to the working folder where they are in it.

    Attributes:
        stage: name of the stage, e.g. ``curate``.
        code: digest of the source code that runs.
        settings: settings file → SHA-256. They are in the provenance only: a setting that changes no outcome leaves
            the record's bytes alone.
        inputs: what is read, a record, a file that a record vouches for or an archive → SHA-256.
        own_files: the user's own files that are read → SHA-256; in the provenance only, for where they are changes nothing.
        seed: of a training or an evaluation.
        modules: those in which the code begins.
        started: ``time.monotonic()`` at the start, for the seconds.
    """

    stage: str
    code: str
    settings: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    own_files: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    modules: Sequence[str] = field(default=(), compare=False)
    started: float = field(default_factory=time.monotonic, compare=False)

    @property
    def key(self) -> str:
        """SHA-256 over the version of the package and all that decides the outcome."""
        own = sorted([Path(path).name, sha256] for path, sha256 in self.own_files.items())
        what = [self.stage, self.code, dict(self.settings), dict(self.inputs), own, self.seed]
        return digest_of([__version__, *what])


def write_record(path: str | Path, body: Mapping[str, Any]) -> Path:
    """Write ``body`` and its digest as JSON, atomically, and return the path."""
    # As it will be read again: JSON has no tuples and no keys but strings.
    plain = json.loads(json.dumps(body))
    write_json(path, {**plain, DIGEST: digest_of(plain)})
    return Path(path)


def digest_holds(body: Mapping[str, Any]) -> bool:
    """Whether a record's digest is that of the rest of it; ``False`` for one without a digest."""
    return body.get(DIGEST) == digest_of({key: value for key, value in body.items() if key != DIGEST})


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record.

    Raises:
        UserError: it is missing, no record, or was edited or damaged.
    """
    body = read_json(path)
    if not isinstance(body, dict):
        raise UserError(f"{path} is not a record of the pipeline; delete it and run snakemake")
    if not digest_holds(body):
        raise UserError(
            f"{path} was edited, damaged or made by an older version: its content does not have the digest it gives; "
            "restore it (dvc checkout), or delete it and run snakemake"
        )
    return body


def provenance_path(record: str | Path) -> Path:
    """Return where the provenance of a record is: ``provenance.json`` of a manifest, else ``<name>.provenance.json``."""
    record = Path(record)
    return record.with_name(PROVENANCE if record.name == MANIFEST else f"{record.stem}.{PROVENANCE}")


def record_path(provenance: Path) -> Path:
    """Return the record that a provenance is beside."""
    name = provenance.name.removesuffix(PROVENANCE).rstrip(".")
    return provenance.with_name(f"{name}.json" if name else MANIFEST)


def is_provenance(path: Path) -> bool:
    """Whether a file is a provenance by its name."""
    return path.name == PROVENANCE or path.name.endswith(f".{PROVENANCE}")


def here(path: str | Path) -> str:
    """Return a path as records name it: without detours, relative to the working folder where it is in it."""
    path = Path(os.path.normpath(path))
    return str(path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path)


def hashes(paths: Iterable[str | Path]) -> dict[str, str]:
    """Return path → SHA-256 of files, as :class:`Made` wants them.

    Raises:
        UserError: one is missing.
    """
    return {here(path): sha256_once(path) for path in paths}


def write(
    record: str | Path,
    made: Made,
    files: Mapping[str, str] | Iterable[str | Path],
    *,
    device: str = "cpu",
    varying: Iterable[str | Path] = (),
    **facts: Any,
) -> Path:
    """Write the provenance and then, last of a stage's files, the record; return the record's path.

    Args:
        record: where: ``manifest.json`` of a folder, or ``<name>.json`` beside its files.
        made: how the files were made.
        files: the files that are a function of (data, settings, seed): paths, or name relative to the record's folder →
            SHA-256.
        device: ``cpu`` or ``cuda:<n>`` name.
        varying: paths of files that differ from run to run (a log with times); the provenance vouches for them.
        facts: further deterministic facts (settings, counts, shapes), JSON-serialisable.
    """
    record = Path(record)
    body = {"stage": made.stage, **facts, "inputs": dict(made.inputs), "files": _beside(record, files)}
    write_record(
        provenance_path(record),
        {
            "stage": made.stage,
            "key": made.key,
            "code": made.code,
            "modules": list(made.modules),
            "settings": dict(made.settings),
            "own_files": dict(made.own_files),
            "seconds": round(time.monotonic() - made.started, 3),
            "device": device,
            "threads": os.environ.get("OMP_NUM_THREADS"),
            "hardware": processor(),
            "deterministic": determinism(),
            "python": platform.python_version(),
            "packages": package_versions(),
            "files": _beside(record, varying),
            "record": body,
        },
    )
    return write_record(record, body)


def _beside(record: Path, files: Mapping[str, str] | Iterable[str | Path]) -> dict[str, str]:
    """Return name, relative to the record's folder → SHA-256."""
    if isinstance(files, Mapping):
        return dict(files)
    return {os.path.relpath(path, record.parent): sha256_file(path) for path in sorted(map(str, files))}


def read_manifest(folder: str | Path, stage: str | None = None) -> dict[str, Any]:
    """Read a folder's manifest; with ``stage``, check that it is that stage's.

    Raises:
        UserError: no manifest (the stage did not finish), an edited or damaged one, or another stage's.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UserError(f"{path} is missing: the stage that makes {folder} has not finished; run it first")
    body = read_record(path)
    if "stage" not in body:
        raise UserError(f"{path} is not a manifest; delete {folder} and run the stage that makes it again")
    if stage is not None and body["stage"] != stage:
        raise UserError(f"{path} is a manifest of stage {body['stage']!r}, expected {stage!r}")
    return body


def manifest_digest(folder: str | Path) -> str:
    """Return the SHA-256 of a folder's manifest: what a later stage records as its input."""
    return sha256_file(Path(folder) / MANIFEST)
