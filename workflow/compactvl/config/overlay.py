"""Configuration as plain data: YAML files laid over each other, and variants over their bases.

The merge is the one Snakemake makes of ``configfile:`` and ``--configfile``, so the console program and the DAG see
the same settings: mappings merge key by key, everything else is replaced.
"""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from compactvl.config.base import did_you_mean
from compactvl.errors import UserError

DEFAULT_CONFIG = Path("config.yaml")
NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``above`` laid over ``below``; mappings merge recursively, other values are replaced."""
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        if isinstance(value, Mapping):
            merged[key] = merge(under if isinstance(under, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Read a YAML file whose top level is a mapping.

    Raises:
        UserError: the file is missing, is not YAML (with line and column), repeats a key, or is not a mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read config file {path}: {error.strerror}; give the path of a YAML file") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path}:{line}: not UTF-8 text ({error.reason}); save the file as UTF-8") from error
    try:
        value = yaml.load(text, Loader=_UniqueKeyLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        raise UserError(f"{place}: {error.problem or 'not valid YAML'}; mend the YAML there") from None
    except yaml.reader.ReaderError as error:
        line = text[: error.position].count("\n") + 1
        raise UserError(f"{path}:{line}: character #x{error.character:04x} cannot be in YAML; delete it") from None
    except RecursionError:
        raise UserError(f"{path}: brackets are nested too deeply; close them") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected settings as `key: value`, found {type(value).__name__}")
    return value


def load_config(overlays: Iterable[str | Path] = (), base: str | Path = DEFAULT_CONFIG) -> dict[str, Any]:
    """Read ``base`` and lay every file of ``overlays`` over it, in order."""
    config = read_yaml(base)
    for path in overlays:
        config = merge(config, read_yaml(path))
    return config


def without_null(named: Any) -> Any:
    """Drop the entries an overlay switched off with ``null`` from a mapping of named things."""
    if not isinstance(named, Mapping):
        return named
    return {name: value for name, value in named.items() if value is not None}


def in_order(named: Any) -> Any:
    """Return a mapping by name, without what is ``null``: snakemake puts an overlay's names first, and order is content."""
    return dict(sorted(without_null(named).items())) if isinstance(named, Mapping) else named


def expand_bases(variants: Mapping[str, Any], where: str) -> dict[str, dict[str, Any]]:
    """Return every variant merged onto its ``base:``, recursively, in the order given and without ``base``.

    A variant set to ``null`` is left out. It can no longer be a base.

    Args:
        variants: name → overrides with an optional ``base``.
        where: place for messages, e.g. ``studies.edje.variants``.

    Raises:
        UserError: a variant is not a mapping, or its base is unknown, switched off, or itself through a cycle.
    """
    expanded: dict[str, dict[str, Any]] = {}

    def expand(name: str, chain: tuple[str, ...]) -> dict[str, Any]:
        if name in expanded:
            return expanded[name]
        if name in chain:
            raise UserError(f"{where}.{chain[0]}.base: bases form a circle: {' -> '.join((*chain, name))}")
        settings = variants[name]
        if not isinstance(settings, Mapping):
            raise UserError(f"{where}.{name}: expected settings as `key: value` or null, found {settings!r}")
        own = {key: value for key, value in settings.items() if key != "base"}
        base = settings.get("base")
        if base is not None:
            if not isinstance(base, str) or base not in variants:
                raise UserError(f'{where}.{name}.base: unknown variant "{base}"{did_you_mean(str(base), variants)}')
            if variants[base] is None:
                raise UserError(f'{where}.{name}.base: variant "{base}" is switched off (null); switch {name} off too')
            own = merge(expand(base, (*chain, name)), own)
        expanded[name] = own
        return own

    return {name: expand(name, ()) for name, settings in variants.items() if settings is not None}


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML without repeated keys (the second would silently win) and without values that contain themselves."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._unfinished: set[str | None] = set()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent) and event.anchor in self._unfinished:
            raise yaml.composer.ComposerError(None, None, f"*{event.anchor} contains itself", event.start_mark)
        anchor = None if isinstance(event, yaml.AliasEvent) else event.anchor
        self._unfinished.add(anchor)
        try:
            return super().compose_node(parent, index)
        finally:
            self._unfinished.discard(anchor)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node.tag in NUMBERS and (":" in node.value or re.match(r"[-+]?0\d", node.value)):
            why = f"{node.value} is another number in YAML (base 8 or 60); write it plainly, or in quotes as text"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark)
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # e.g. of a date that does not exist
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below, with its place
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
