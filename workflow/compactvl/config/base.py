"""Strict settings: an unknown key is an error with a suggestion, every error names its place."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from compactvl.config.annotations import follow, members_of, truth_values_for_numbers
from compactvl.errors import UserError

LONGEST_SHOWN = 80
"""Characters of a wrong value that a message shows."""
IN_YAML = dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "expected settings as `key: value`") | {
    "tuple_type": "expected a list, [a, b]",
    "invalid_key": "a name must be text; put it in quotes",
}
"""Pydantic's kind of error → what it means in YAML, where pydantic speaks of Python."""


class Strict(BaseModel):
    """Base of every settings model: no unknown keys, immutable, validated defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``'; did you mean "x"?'``, or the list of known words where nothing is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f'; did you mean "{near[0]}"?' if near else f"; known: {', '.join(known)}"


def validate(model: type[Model], value: Any, where: str) -> Model:
    """Validate ``value`` as ``model``.

    Raises:
        UserError: every problem, each on its own line, as ``where.key: what is wrong``.
    """
    problems = dict.fromkeys(
        truth_values_for_numbers(model, value, where), "input should be a number, not true or false"
    )
    try:
        settings = model.model_validate(value)
    except ValidationError as error:
        for item in _root_causes(error.errors()):
            # Of a place's problems the first: the others are other branches of a union.
            problems.setdefault(*_explain(model, item, where))
    if problems:
        raise UserError("\n".join(f"{place or 'config'}: {problem}" for place, problem in problems.items()))
    return settings


def _root_causes(items: Sequence[Any]) -> list[Any]:
    """Leave out that a list is too short where its own entries were refused."""
    refused = {item["loc"][:-1] for item in items}
    return [item for item in items if item["type"] != "too_short" or item["loc"] not in refused]


def _explain(model: type[BaseModel], item: Any, where: str) -> tuple[str, str]:
    """Return the place of a problem and what is wrong there."""
    path, at = follow(model, item["loc"])
    kind, context = item["type"], item.get("ctx", {})
    if kind.startswith("union_tag"):
        path.append(context["discriminator"].strip("'"))
    place = ".".join([where, *path] if where else path)
    if kind == "extra_forbidden":
        fields = list(getattr(at, "model_fields", {}))
        return place, f"unknown setting{did_you_mean(path[-1], fields) if fields else ''}"
    if kind == "union_tag_not_found":
        return place, f"missing; one of {', '.join(members_of(at, path[-1]))}"
    if kind == "union_tag_invalid":
        return place, f"unknown {path[-1]} {context['tag']!r}{did_you_mean(context['tag'], members_of(at, path[-1]))}"
    message = IN_YAML.get(kind, item["msg"]).removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}"
    if kind == "string_type" and isinstance(item["input"], int | float):
        message += "; put it in quotes"
    # What is missing has no value, and a whole section is not worth showing.
    if kind == "missing" or (kind == "value_error" and isinstance(item["input"], Mapping)):
        return place, message
    shown = repr(item["input"])
    return place, f"{message} (given: {shown if len(shown) <= LONGEST_SHOWN else f'{shown[:LONGEST_SHOWN]}…'})"
