"""Manifests: the small JSON files that are the DAG's edges, and the provenance beside them.

``manifest.json`` holds only what is a function of (data, settings, seed): a stage that runs again with the same
outcome leaves the same bytes, so nothing after it runs again. What differs from run to run (seconds, device,
package versions) is in ``provenance.json`` beside it.
"""

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file, write_json

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
PACKAGES = (
    "numpy",
    "pandas",
    "pyarrow",
    "torch",
    "timm",
    "transformers",
    "tokenizers",
    "safetensors",
    "snakemake",
    "dvc",
)


def write_manifest(
    folder: str | Path,
    *,
    stage: str,
    files: Mapping[str, str] | None = None,
    inputs: Mapping[str, str] | None = None,
    started: float | None = None,
    device: str = "cpu",
    **facts: Any,
) -> Path:
    """Write ``manifest.json`` (last of a stage's files) and ``provenance.json`` into ``folder``.

    Args:
        folder: where the stage's files are.
        stage: name of the stage, e.g. ``curate``.
        files: file name relative to ``folder`` → SHA-256; ``None`` hashes nothing.
        inputs: name → SHA-256 of each input (see :func:`manifest_digest`).
        started: ``time.monotonic()`` at the stage's start, for the seconds in the provenance.
        device: ``cpu`` or ``cuda:<n>`` name.
        facts: further deterministic facts (settings, counts, shapes), JSON-serialisable.

    Returns:
        The manifest's path.
    """
    folder = Path(folder)
    provenance = {
        "stage": stage,
        "seconds": None if started is None else round(time.monotonic() - started, 3),
        "device": device,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "packages": package_versions(),
    }
    write_json(folder / PROVENANCE, provenance)
    body = {"stage": stage, **facts, "inputs": dict(inputs or {}), "files": dict(files or {})}
    write_json(folder / MANIFEST, body)
    return folder / MANIFEST


def package_versions() -> dict[str, str]:
    """Return the installed version of each package the results can depend on."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def read_manifest(folder: str | Path, stage: str | None = None) -> dict[str, Any]:
    """Read a folder's manifest; with ``stage``, check that it is that stage's.

    Raises:
        UserError: no manifest (the stage did not finish), or another stage's.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UserError(f"{path} is missing: the stage that makes {folder} has not finished; run it first")
    body = read_json(path)
    if not isinstance(body, dict) or "stage" not in body:
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
