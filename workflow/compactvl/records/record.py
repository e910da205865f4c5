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
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from compactvl.dag.stages import STAGE_MODULES, stage_digest
from compactvl.errors import UserError
from compactvl.files import digest_of, read_json, sha256_file, write_json
from compactvl.records.machine import determinism, package_versions, processor

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
DIGEST = "digest"


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


def is_provenance(path: Path) -> bool:
    """Whether a file is a provenance by its name."""
    return path.name == PROVENANCE or path.name.endswith(f".{PROVENANCE}")


def write_provenance(
    record: str | Path,
    *,
    stage: str,
    started: float | None = None,
    device: str = "cpu",
    code: str | None = None,
    key: str | None = None,
    body: Mapping[str, Any] | None = None,
    files: Mapping[str, str] | None = None,
) -> Path:
    """Write how the files of ``record`` were made.

    Args:
        record: path of the record.
        stage: name of the stage.
        started: ``time.monotonic()`` at the stage's start, for the seconds.
        device: ``cpu`` or ``cuda:<n>`` name.
        code: digest of the source code; default: that of the stage, where it is the same for every study.
        key: what identifies the job (see :mod:`compactvl.dag.identity`).
        body: the record's content, if it is to be kept here too (see :mod:`compactvl.records.finished`).
        files: files that differ from run to run (a log with times): name → SHA-256.

    Returns:
        The provenance's path.
    """
    if code is None and stage in STAGE_MODULES:
        code = stage_digest(stage)
    body = {
        "stage": stage,
        "key": key,
        "code": code,
        "seconds": None if started is None else round(time.monotonic() - started, 3),
        "device": device,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "hardware": processor(),
        "deterministic": determinism(),
        "python": platform.python_version(),
        "packages": package_versions(),
        **({"files": dict(files)} if files else {}),
        **({"record": dict(body)} if body else {}),
    }
    return write_record(provenance_path(record), body)


def write_manifest(
    folder: str | Path,
    *,
    stage: str,
    files: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    started: float | None = None,
    device: str = "cpu",
    code: str | None = None,
    key: str | None = None,
    varying: Mapping[str, str] | None = None,
    **facts: Any,
) -> Path:
    """Write ``provenance.json`` and, last of a stage's files, ``manifest.json`` into ``folder``.

    Args:
        folder: where the stage's files are.
        stage: name of the stage, e.g. ``curate``.
        files: file name relative to ``folder`` → SHA-256; ``None`` hashes nothing.
        inputs: name → SHA-256 of each input (see :func:`manifest_digest`).
        started: ``time.monotonic()`` at the stage's start, for the seconds in the provenance.
        device: ``cpu`` or ``cuda:<n>`` name.
        code: digest of the source code that ran; see :func:`write_provenance`.
        key: what identifies the job; the provenance then holds the manifest's content too.
        varying: files that differ from run to run: name → SHA-256; the provenance vouches for them.
        facts: further deterministic facts (settings, counts, shapes), JSON-serialisable.

    Returns:
        The manifest's path.
    """
    record = Path(folder) / MANIFEST
    body = {"stage": stage, **facts, "inputs": dict(inputs or {}), "files": dict(files or {})}
    kept = None if key is None else body
    write_provenance(record, stage=stage, started=started, device=device, code=code, key=key, body=kept, files=varying)
    return write_record(record, body)


def write_file_record(
    record: str | Path,
    *,
    stage: str,
    files: Iterable[str | Path],
    inputs: Iterable[str | Path] = (),
    started: float | None = None,
    code: str | None = None,
    **facts: Any,
) -> Path:
    """Write the record, and its provenance, of files that were made from other files.

    Args:
        record: path of the record.
        stage: name of the stage.
        files: what was made; recorded relative to the record's folder.
        inputs: what was read; recorded as ``file <path>``, as given.
        started, code: see :func:`write_provenance`.
        facts: further deterministic facts, JSON-serialisable.

    Returns:
        The record's path.
    """
    record = Path(record)
    write_provenance(record, stage=stage, started=started, code=code)
    read = {f"file {path}": sha256_file(path) for path in sorted(map(str, inputs))}
    made = {os.path.relpath(path, record.parent): sha256_file(path) for path in sorted(map(str, files))}
    return write_record(record, {"stage": stage, **facts, "inputs": read, "files": made})


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


def verify_files(folder: str | Path) -> list[str]:
    """Return one line for each file of ``folder`` that is missing or differs from the manifest's hash."""
    folder = Path(folder)
    problems = []
    for name, expected in read_manifest(folder).get("files", {}).items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{path}: missing")
        elif sha256_file(path) != expected:
            problems.append(f"{path}: content differs from its manifest")
    return problems
