"""One paper's study: its kinds of variant, and the two ways settings become variants.

A paper is a folder ``studies/<name>/`` whose ``__init__.py`` has ``STUDY = Study(name, kinds)``, a section of the config and
a notebook ``reports/<name>.py``. Nothing else names it.
"""

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

import compactvl.studies
from compactvl.config.base import Strict, did_you_mean
from compactvl.config.kinds import validate_kinds
from compactvl.config.overlay import expand_bases
from compactvl.config.references import named, reference_problems, references
from compactvl.errors import UserError
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+]*")
"""A variant may be named as a sum of parts: ``dinov2_s+lite0``."""
VARIANT = re.compile(r"(?P<study>.*\.variants)\.(?P<variant>[\w+]+)( \(on \w+\))?(?P<rest>.*)", re.DOTALL)


class StudySection(Strict):
    """One study's section of the config. A study that generates variants has a subclass with further settings."""

    variants: dict[str, dict[str, Any] | None] = Field(
        default={},
        description="Name → settings of a variant. `base: <other>` begins from another variant's settings; "
        "null switches a variant off.",
    )
    report: bool = Field(default=True, description="Whether `reports/<study>.py` is run and linked from the index.")

    def expand(self, where: str) -> dict[str, dict[str, Any]]:
        """Return name → settings of every variant, merged with its base.

        Args:
            where: place of ``variants``, for messages.

        Raises:
            UserError: a base is unknown, switched off, or leads back to itself.
        """
        return expand_bases(self.variants, where)


class Study:
    """A study.

    Args:
        name: its folder's. kinds: its kinds of variant. section: what its section of the config may say.
        together: whether one job trains, and one evaluates, all seeds of a variant: where a run takes less time than starting
            a job. Such variants build on no others.
    """

    def __init__(
        self,
        name: str,
        kinds: Sequence[type[Variant]],
        section: type[StudySection] = StudySection,
        *,
        together: bool = False,
    ) -> None:
        self.name, self.section, self.together = name, section, together
        self.kinds = {kind.model_fields["kind"].annotation.__args__[0]: kind for kind in kinds}

    def revive(self, variants: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, Variant]:
        """Validate variants: all of a section, expanded, or those whose settings files a job was given.

        Raises:
            UserError: every problem, one a line, each with its place.
        """
        valid, problems = validate_kinds(variants, where, self.kinds, self.kinds.__getitem__)
        problems += [
            f'{where}: "{name}" cannot be a name; use letters, digits, "_" and "+", beginning with a letter'
            for name in variants
            if not NAME.fullmatch(name)
        ]
        if not problems:
            known = {"variants": {name: frozenset({variant.kind}) for name, variant in valid.items()}}
            for name, variant in valid.items():
                place = f"{where}.{name}"
                wrong = reference_problems(references(variant, place), known, {"variants": "variant"})
                problems += wrong or [f"{place}.{field}: {what}" for field, what in variant.problems(valid)]
        if problems:
            raise UserError("\n".join(said_once(problems)))
        return valid

    def training_needs(self, variant: Variant, peers: Peers) -> Needs:
        """Return what training a variant reads."""
        return variant.training_needs(peers) | Needs.of(variants=named(variant, "variants"))

    def evaluation_needs(self, variant: Variant, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Return what evaluating a variant on a benchmark reads, besides the variant's own run."""
        return variant.evaluation_needs(benchmark, peers) | Needs.of(datasets=benchmark.datasets)


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
    """Return the names of the installed studies: the folders here that have an ``__init__.py``, sorted."""
    folders = (Path(folder) for folder in compactvl.studies.__path__)
    return sorted(path.parent.name for folder in folders for path in folder.glob("*/__init__.py"))


def said_once(problems: Iterable[str]) -> list[str]:
    """Return each problem once: what a variant hands on to those that are based on it is told of the first alone.

    Args:
        problems: lines ``studies.<study>.variants.<variant>...``; others stay as they are.
    """
    lines: dict[tuple[str, ...], str] = {}
    more: dict[tuple[str, ...], set[str]] = {}
    for problem in problems:
        match = VARIANT.fullmatch(problem)
        key = (problem,) if match is None else (match["study"], match["rest"])
        lines.setdefault(key, problem)
        if match is not None:
            more.setdefault(key, set()).add(match["variant"])
    others = {key: len(more.get(key, ())) - 1 for key in lines}
    return [f"{line} (and of {others[key]} other variants)" if others[key] > 0 else line for key, line in lines.items()]
