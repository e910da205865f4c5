"""Settings as their annotations declare them, followed along what the user wrote."""

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic.fields import FieldInfo


def follow(annotation: Any, loc: Sequence[Any]) -> tuple[list[str], Any]:
    """Follow a pydantic location through nested annotations.

    Pydantic's location also has parts that stand in no file: a union's tag or branch, and "[key]".

    Returns:
        The parts as the user wrote them, and the annotation they lead to (``None`` if unknown; of the last model, where
        the last part is no field of it).
    """
    path: list[str] = []
    for part in loc:
        if part == "[key]":
            continue
        annotation, discriminator = _bare(annotation)
        if discriminator is not None:
            annotation = members_of(annotation, discriminator).get(str(part))
            continue
        fields = getattr(annotation, "model_fields", None)
        arguments = [one for one in typing.get_args(annotation) if one is not Ellipsis]
        if fields is not None:
            path.append(str(part))
            annotation = fields.get(part, annotation)
        elif typing.get_origin(annotation) is dict:
            path.append(str(part))
            annotation = arguments[1]
        elif isinstance(part, int):
            path.append(str(part))
            annotation = arguments[min(part, len(arguments) - 1)] if arguments else None
        elif annotation is None or not arguments:
            path.append(str(part))
        else:
            # A branch of a union without tags: which one is not told by its name.
            annotation = next((one for one in arguments if str(part).startswith(_origin_name(one))), None)
    return path, _bare(annotation)[0]


def _bare(annotation: Any) -> tuple[Any, str | None]:
    """Return an annotation without its metadata and without ``None``, and its discriminator if it is a tagged union."""
    discriminator = None
    while True:
        if isinstance(annotation, FieldInfo):
            discriminator = annotation.discriminator or discriminator
            annotation = annotation.annotation
        elif hasattr(annotation, "__metadata__"):
            fields = [one for one in annotation.__metadata__ if isinstance(one, FieldInfo)]
            discriminator = next((one.discriminator for one in fields if one.discriminator), discriminator)
            annotation = typing.get_args(annotation)[0]
        elif type(None) in typing.get_args(annotation) and len(typing.get_args(annotation)) == 2:
            annotation = next(one for one in typing.get_args(annotation) if one is not type(None))
        else:
            return annotation, discriminator


def members_of(union: Any, discriminator: str) -> dict[str, Any]:
    """Return tag → model of a tagged union."""
    return {
        tag: model
        for model in typing.get_args(union)
        if hasattr(model, "model_fields")
        for tag in typing.get_args(model.model_fields[discriminator].annotation)
    }


def _origin_name(annotation: Any) -> str:
    return getattr(typing.get_origin(annotation), "__name__", "\0")


def truth_values_for_numbers(annotation: Any, value: Any, place: str) -> Iterator[str]:
    """Yield the place of every truth value where a number belongs: YAML reads yes, no, on and off as such, and pydantic
    takes them for 1 and 0."""
    annotation, discriminator = _bare(annotation)
    if discriminator is not None and isinstance(value, Mapping):
        annotation = members_of(annotation, discriminator).get(str(value.get(discriminator)))
    if isinstance(value, Mapping):
        fields = getattr(annotation, "model_fields", None)
        of_all = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is dict else ()
        for key, one in value.items():
            inner = fields.get(key) if fields is not None else next(iter(of_all), None)
            yield from truth_values_for_numbers(inner, one, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, one in enumerate(value):
            inner = next(iter(typing.get_args(annotation)), None)
            yield from truth_values_for_numbers(inner, one, f"{place}.{number}")
    elif isinstance(value, bool) and annotation in (int, float):
        yield place
