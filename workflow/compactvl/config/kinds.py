"""Kinds of a thing, told apart by ``kind``: one module a kind, found by its name.

A kind named ``scenes`` is the module ``<package>.scenes`` with a class ``Settings``. There is no list: a new file is a new
kind, and a job imports the one it is about.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compactvl.config.base import did_you_mean, validate
from compactvl.errors import UserError

DATA_KINDS = "compactvl.data.kinds"
BENCHMARK_KINDS = "compactvl.evaluation.benchmarks"
LOADERS = "compactvl.vision.loaders"
"""Their settings are in :mod:`compactvl.config.encoders`."""
FORMATS = "compactvl.vision.formats"
"""Their settings are in :mod:`compactvl.config.weights`."""


def kind_names(package: str) -> list[str]:
    """Return the names of a package's kinds, sorted."""
    folders = importlib.util.find_spec(package).submodule_search_locations
    return sorted(module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_"))


def find_kind(package: str, name: str) -> type[Any]:
    """Return the settings class of a kind that is there."""
    return importlib.import_module(f"{package}.{name}").Settings


def validate_kinds(
    entries: Mapping[str, Any], where: str, known: Iterable[str], find: Callable[[str], type[Any]]
) -> tuple[dict[str, Any], list[str]]:
    """Validate named entries, each as its ``kind`` says.

    Args:
        entries: name → settings as the user wrote them. where: their section's place.
        known: names of the kinds. find: name of a kind → its settings class.

    Returns:
        Those that are right by name, and one line for each problem of the others.
    """
    known, valid, problems = sorted(known), {}, []
    for name, body in entries.items():
        place = f"{where}.{name}"
        if not isinstance(body, Mapping):
            problems.append(f"{place}: expected settings as `key: value` (given: {body!r})")
            continue
        kind = body.get("kind")
        if kind is None:
            problems.append(f"{place}.kind: missing; one of {', '.join(known)}")
        elif kind not in known:
            problems.append(f"{place}.kind: unknown kind {kind!r}{did_you_mean(str(kind), known)}")
        else:
            try:
                valid[name] = validate(find(kind), body, place)
            except UserError as error:
                problems += str(error).splitlines()
    return valid, problems
