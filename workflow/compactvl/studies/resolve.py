"""Validation of a study's variants, the same for every study."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compactvl.config.base import did_you_mean, validate
from compactvl.errors import UserError
from compactvl.studies.base import VariantBase

References = Callable[[str, Mapping[str, Any], str], list[str]]
"""(name, all variants, where) → what is wrong with what the variant says of others, one line a problem."""


VARIANT = re.compile(r"(?P<study>.*\.variants)\.(?P<variant>[\w+]+)( \(on \w+\))?(?P<rest>.*)", re.DOTALL)


def resolve_variants(
    kinds: Mapping[str, type[VariantBase]],
    variants: Mapping[str, Mapping[str, Any]],
    where: str,
    references: References,
) -> dict[str, VariantBase]:
    """Validate variants, then what they say of each other.

    Args:
        kinds: kind → settings model. variants: name → settings, merged with their bases.
        where: the section's place, for messages. references: checks one variant's references.

    Raises:
        UserError: every problem, one a line, each with its place.
    """
    resolved, problems = {}, []
    for name, body in variants.items():
        place = f"{where}.{name}"
        kind = body.get("kind")
        if kind not in kinds:
            problems.append(
                f"{place}.kind: missing; one of {', '.join(kinds)}"
                if kind is None
                else f"{place}.kind: unknown kind {kind!r}{did_you_mean(str(kind), kinds)}"
            )
            continue
        try:
            resolved[name] = validate(kinds[kind], body, place)
        except UserError as error:
            problems.append(str(error))
    if not problems:
        problems = [line for name in resolved for line in references(name, resolved, where)]
    if problems:
        raise UserError("\n".join(said_once(problems)))
    return resolved


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
