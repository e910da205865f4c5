"""Arguments that several commands share, and reading of settings files."""

import argparse
from pathlib import Path
from typing import Any

SETTINGS_HELP = "resolved settings, as snakemake writes them under state/settings/"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add ``--settings FILE``."""
    parser.add_argument("--settings", type=Path, required=True, metavar="FILE", help=SETTINGS_HELP)


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--out PATH``."""
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=f"where to write {what}")


def add_configfiles(parser: argparse.ArgumentParser) -> None:
    """Add ``--configfile FILE ...``, which lays files over ``config.yaml`` as snakemake does."""
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="*",
        default=[],
        metavar="FILE",
        help="overlays on config.yaml, e.g. config/smoke.yaml",
    )


def read_settings(path: Path, model: Any, value: Any = None) -> Any:
    """Read and validate a settings file as ``model`` (a settings class, or a union of them).

    Args:
        path: the file; its name is used in messages.
        model: pydantic model or annotated union.
        value: what to validate instead of the file's content, e.g. one of its sections.

    Raises:
        UserError: the file is missing, not JSON, or a setting is wrong.
    """
    from pydantic import create_model

    from compactvl.config.base import Strict, validate
    from compactvl.files import read_json

    value = read_json(path) if value is None else value
    holder = create_model("Holder", __base__=Strict, settings=(model, ...))
    return validate(holder, {"settings": value}, str(path)).settings


def read_kind(path: Path, package: str, value: Any = None) -> Any:
    """Read and validate a settings file whose ``kind`` is one of a package's (:mod:`compactvl.config.kinds`).

    Args:
        path: the file; its name is used in messages. package: of the kinds.
        value: what to validate instead of the file's content.

    Raises:
        UserError: the file is missing, not JSON, of an unknown kind, or a setting is wrong.
    """
    from functools import partial

    from compactvl.config.kinds import find_kind, kind_names, validate_kinds
    from compactvl.errors import UserError
    from compactvl.files import read_json

    entries = {"settings": read_json(path) if value is None else value}
    found, problems = validate_kinds(entries, str(path), kind_names(package), partial(find_kind, package))
    if problems:
        raise UserError("\n".join(problems))
    return found["settings"]
