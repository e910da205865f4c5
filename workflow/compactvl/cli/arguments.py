"""Arguments that several commands share, and reading of settings files."""

from functools import partial
from pathlib import Path
from typing import Any

from compactvl.command import Argument, path_argument
from compactvl.errors import UserError
from compactvl.files import read_json

SETTINGS = path_argument(
    "--settings", "resolved settings, as snakemake writes them under state/settings/", required=True
)
CONFIGFILES = path_argument("--configfile", "overlays on config.yaml, e.g. config/smoke.yaml", nargs="*", default=[])
"""Lays files over ``config.yaml`` as snakemake does."""


def out(what: str, **options: Any) -> Argument:
    """Return ``--out PATH``; further options as for an argument."""
    return path_argument("--out", f"where to write {what}", "PATH", required=True, **options)


def read_settings(path: Path, model: Any) -> Any:
    """Read and validate a settings file as ``model`` (a settings class, or a union of them).

    Raises:
        UserError: the file is missing, not JSON, or a setting is wrong.
    """
    from pydantic import create_model

    from compactvl.config.base import Strict, validate

    holder = create_model("Holder", __base__=Strict, settings=(model, ...))
    return validate(holder, {"settings": read_json(path)}, str(path)).settings


def settings_of_kind(body: Any, package: str, path: Path) -> Any:
    """Validate settings whose ``kind`` is one of a package's (:mod:`compactvl.config.kinds`); ``path``: their file.

    Raises:
        UserError: the kind is unknown, or a setting is wrong.
    """
    from compactvl.config.kinds import find_kind, kind_names, validate_kinds

    known, find = kind_names(package), partial(find_kind, package)
    found, problems = validate_kinds({"settings": body}, str(path), known, find)
    if problems:
        raise UserError("\n".join(problems))
    return found["settings"]
