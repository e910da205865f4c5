"""What can be set: the settings of any part of the configuration with type, default and meaning, as their models say."""

import functools
import importlib
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from compactvl.config.base import did_you_mean
from compactvl.config.kinds import find_kind, kind_names
from compactvl.dag.root import KINDS, RootSettings
from compactvl.errors import UserError
from compactvl.studies.study import find_study, study_names

WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
WIDTH = 110


def describe(place: str) -> str:
    """Return what can be set at a place: ``datasets``, ``datasets.scenes``, ``encoders.timm``, ``studies.edje.joint``.

    Raises:
        UserError: there is no such place; the message suggests one.
    """
    node = find_place(_whole(), place, _inside)
    return "\n".join([*_text(node, ""), *_lines(node, "", deep=bool(place))])


@functools.cache
def _whole() -> dict[str, Any]:
    """Return the schema of the configuration, and below each section that of its kinds."""
    node = _schema(RootSettings)
    for section, package in KINDS.items():
        node["properties"][section]["kinds"] = {name: _schema(find_kind(package, name)) for name in kind_names(package)}
    node["properties"]["studies"]["kinds"] = {name: _study(name) for name in study_names()}
    return node


def find_place(node: Any, place: str, inside: Callable[[Any], Mapping[str, Any]]) -> Any:
    """Follow a place, ``a.b.c``, into a tree; ``inside``: node → name → the nodes below it.

    Raises:
        UserError: there is no such place; the message suggests one.
    """
    path: list[str] = []
    for key in filter(None, place.split(".")):
        known = inside(node)
        if key not in known:
            hint = did_you_mean(key, known) if known else ""
            raise UserError(f'{".".join(path) or "config"}: has no "{key}"{hint}')
        node = known[key]
        path.append(key)
    return node


def _study(name: str) -> dict[str, Any]:
    study = find_study(name, "studies")
    description = importlib.import_module(f"compactvl.studies.{name}").__doc__
    return {"description": description, "kinds": {kind: _schema(model) for kind, model in study.kinds.items()}}


def _schema(model: Any) -> dict[str, Any]:
    """Return a type's JSON schema without references."""
    schema = TypeAdapter(model).json_schema()
    definitions = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, list):
            return [inline(one) for one in node]
        if not isinstance(node, dict):
            return node
        referred = definitions[node["$ref"].rpartition("/")[2]] if "$ref" in node else {}
        whole = {key: inline(value) for key, value in {**referred, **node}.items() if key != "$ref"}
        if named := whole.get("patternProperties"):
            (whole["additionalProperties"],) = named.values()
        return whole

    return inline(schema)


def _core(node: dict[str, Any]) -> dict[str, Any]:
    """Return the settings or the choice of kinds that a part is, or is a list or a mapping of."""
    if {"kinds", "oneOf", "properties"} & node.keys():
        return node
    lower = [node.get("additionalProperties"), node.get("items"), *node.get("anyOf", ())]
    return next((core for one in lower if isinstance(one, dict) and (core := _core(one))), {})


def _inside(node: dict[str, Any]) -> dict[str, Any]:
    """Return name → schema of the kinds or settings below a part."""
    core = _core(node)
    if "oneOf" in core:
        field = core["discriminator"]["propertyName"]
        return {tag: one for one in core["oneOf"] for tag in _words(one["properties"][field])}
    return core.get("kinds") or core.get("properties") or {}


def _words(node: dict[str, Any]) -> list[Any]:
    return node.get("enum", [node["const"]] if "const" in node else [])


def _lines(node: dict[str, Any], indent: str, deep: bool) -> Iterator[str]:
    settings = _core(node) if "properties" in _core(node) and "kinds" not in _core(node) else None
    for name, one in _inside(node).items():
        facts = [] if settings is None else [_type(one)]
        if "default" in one and not isinstance(one["default"], dict):
            facts.append(f"default {json.dumps(one['default'], ensure_ascii=False)}")
        elif settings is not None and name in settings.get("required", ()) and "const" not in one:
            facts.append("required")
        yield f"{indent}{name}: {', '.join(facts)}" if facts else f"{indent}{name}"
        yield from _text(one, f"{indent}    ")
        if deep and settings is not None and "properties" in _core(one):
            yield from _lines(one, f"{indent}    ", deep)


def _text(node: dict[str, Any], indent: str) -> list[str]:
    paragraph = node.get("description", "").split("\n\n")[0]
    return textwrap.wrap(" ".join(paragraph.split()), WIDTH, initial_indent=indent, subsequent_indent=indent)


def _type(node: dict[str, Any]) -> str:
    if words := _words(node):
        return " | ".join(map(str, words))
    if "anyOf" in node:
        return " or ".join(map(_type, node["anyOf"]))
    if "prefixItems" in node:
        return f"[{', '.join(map(_type, node['prefixItems']))}]"
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if node.get("type") not in WORDS:
        return "by name" if node.get("additionalProperties") else "settings"
    return " ".join([WORDS[node["type"]], *(f"{sign} {node[key]}" for key, sign in LIMITS.items() if key in node)])
