"""Strict settings: an unknown key is an error with a suggestion, every error names its place."""

import difflib
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from compactvl.errors import UserError


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
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise UserError("\n".join(_explain(model, item, where) for item in error.errors())) from None


def _explain(model: type[BaseModel], item: Any, where: str) -> str:
    path = [str(part) for part in item["loc"]]
    place = ".".join([where, *path]) if where else ".".join(path)
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        return f"{place}: unknown setting{did_you_mean(path[-1], known) if known else ''}"
    given = "" if item["type"] == "missing" else f" (given: {item['input']!r})"
    return f"{place}: {item['msg'][0].lower()}{item['msg'][1:]}{given}"


def _fields_at(model: Any, path: list[str]) -> list[str]:
    """Follow ``path`` through nested models, unions and dictionaries; return the field names there."""
    import typing

    for key in path:
        fields = getattr(model, "model_fields", None)
        annotation = fields[key].annotation if fields and key in fields else None
        if annotation is None:
            # A dictionary's key or a union's tag: stay at the model that holds the values.
            continue
        model = annotation
        while True:
            arguments = [a for a in typing.get_args(model) if isinstance(a, type) or typing.get_args(a)]
            models = [a for a in arguments if hasattr(a, "model_fields")]
            if hasattr(model, "model_fields") or not arguments:
                break
            model = models[-1] if models else arguments[-1]
    return list(getattr(model, "model_fields", {}))
