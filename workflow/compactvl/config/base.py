"""Strict settings: an unknown key is an error with a suggestion, every error names its place."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

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

    @model_validator(mode="before")
    @classmethod
    def _note(cls, value: Any, info: ValidationInfo) -> Any:
        """Note for :func:`validate` which settings the mapping that is read may have: pydantic's errors do not say."""
        if info.context is not None:
            info.context[id(value)] = list(cls.model_fields)
        return value


Model = TypeVar("Model", bound=BaseModel)


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if (repeated := next((seed for seed in seeds if seeds.count(seed) > 1), None)) is not None:
        raise ValueError(f"{repeated} is given twice; delete one")
    return seeds


Seeds = Annotated[tuple[Annotated[int, Field(ge=0, lt=2**63)], ...], AfterValidator(_different)]
"""Seeds of random generators, each once."""


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
    known: dict[int, list[str]] = {}
    try:
        settings = model.model_validate(value, context=known)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for item in _root_causes(error.errors()):
            # Of a place's problems the first: the others are other branches of a union.
            problems.setdefault(*_explain(item, value, known, where))
    else:
        switches = _switches_for_numbers(value, settings.model_dump(), where)
        problems = dict.fromkeys(switches, "input should be a number, not true or false")
    if problems:
        raise UserError("\n".join(f"{place or 'config'}: {problem}" for place, problem in problems.items()))
    return settings


def _switches_for_numbers(given: Any, taken: Any, place: str) -> Iterator[str]:
    """Yield the place of every truth value that was taken for a number: YAML reads yes, no, on and off as such, and
    pydantic takes them for 1 and 0."""
    if isinstance(given, bool):
        if isinstance(taken, int | float) and not isinstance(taken, bool):
            yield place
    elif isinstance(given, Mapping) and isinstance(taken, Mapping):
        for key, one in given.items():
            yield from _switches_for_numbers(one, taken.get(key), f"{place}.{key}" if place else str(key))
    elif isinstance(given, list | tuple) and isinstance(taken, list | tuple):
        for number, both in enumerate(zip(given, taken, strict=False)):
            yield from _switches_for_numbers(*both, f"{place}.{number}")


def _root_causes(items: Sequence[Any]) -> list[Any]:
    """Leave out that a list is too short where its own entries were refused."""
    refused = {item["loc"][:-1] for item in items}
    return [item for item in items if item["type"] != "too_short" or item["loc"] not in refused]


def _follow(value: Any, loc: Sequence[Any]) -> tuple[list[str], Any]:
    """Follow a pydantic location into what the user wrote.

    The location also has parts that stand in no file: a union's tag or branch, and "[key]".

    Returns:
        The parts that do, and what they lead to.
    """
    path = []
    for part in loc:
        if isinstance(value, Mapping):
            there = part in value
        else:
            there = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if there:
            path.append(str(part))
            value = value[part]
    return path, value


def _explain(item: Any, value: Any, known: Mapping[int, Iterable[str]], where: str) -> tuple[str, str]:
    """Return the place of a problem and what is wrong there."""
    kind, context, loc = item["type"], item.get("ctx", {}), item["loc"]
    path = _follow(value, loc)[0]
    if kind == "missing":
        path.append(str(loc[-1]))
    elif kind.startswith("union_tag"):
        path.append(context["discriminator"].strip("'"))
    place = ".".join([where, *path] if where else path)
    if kind == "extra_forbidden":
        fields = known.get(id(_follow(value, loc[:-1])[1]))
        return place, f"unknown setting{did_you_mean(path[-1], fields) if fields else ''}"
    if kind == "union_tag_not_found":
        return place, f"missing; `compactvl config describe {place.partition('.')[0]}` names them"
    if kind == "union_tag_invalid":
        tags = re.findall("'([^']*)'", context["expected_tags"])
        return place, f"unknown {path[-1]} {context['tag']!r}{did_you_mean(context['tag'], tags)}"
    message = IN_YAML.get(kind, item["msg"]).removeprefix("Value error, ")
    message = f"{message[0].lower()}{message[1:]}"
    if kind == "string_type" and isinstance(item["input"], int | float):
        message += "; put it in quotes"
    # What is missing has no value, and a whole section is not worth showing.
    if kind == "missing" or (kind == "value_error" and isinstance(item["input"], Mapping)):
        return place, message
    shown = repr(item["input"])
    return place, f"{message} (given: {shown if len(shown) <= LONGEST_SHOWN else f'{shown[:LONGEST_SHOWN]}…'})"
