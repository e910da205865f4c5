"""Studies by name: every folder here that has an ``__init__.py``."""

import importlib
from pathlib import Path

import compactvl.studies
from compactvl.config.base import did_you_mean
from compactvl.errors import UserError
from compactvl.studies.base import Study


def find_study(name: str, place: str) -> Study:
    """Return ``compactvl.studies.<name>.STUDY``.

    Raises:
        UserError: there is no such study; the message suggests one.
    """
    known = study_names()
    if name not in known:
        raise UserError(f'{place}: unknown study "{name}"{did_you_mean(name, known)}')
    return importlib.import_module(f"compactvl.studies.{name}").STUDY


def study_names() -> list[str]:
    """Return the names of the installed studies: the folders beside ``studies/base.py``, sorted."""
    folders = (Path(folder) for folder in compactvl.studies.__path__)
    return sorted(path.parent.name for folder in folders for path in folder.glob("*/__init__.py"))
