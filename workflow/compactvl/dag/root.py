"""The whole configuration: what is run. How it is run here is in ``profiles/``."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field, SerializeAsAny

from compactvl.config.base import Seeds, Strict, validate
from compactvl.config.encoders import EncoderSettings
from compactvl.config.kinds import BENCHMARK_KINDS, DATA_KINDS, find_kind, kind_names, validate_kinds
from compactvl.config.overlay import without_null
from compactvl.config.references import Ref, reference_problems, references
from compactvl.config.sources import SourceSettings
from compactvl.config.texts import TextEncoderSettings
from compactvl.config.weights import PretrainedWeights
from compactvl.data.kind import DataKind
from compactvl.errors import UserError
from compactvl.evaluation.kind import BenchmarkKind

NAMED_SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks", "studies", "tokens")
KINDS = {"datasets": DATA_KINDS, "benchmarks": BENCHMARK_KINDS}
"""Section → package of its kinds."""
NOUNS = {
    "sources": "source", "weights": "weights", "datasets": "data set", "encoders": "encoder",
    "text_encoders": "text encoder", "benchmarks": "benchmark",
}  # fmt: skip
"""Section → what one of its things is called."""


class RootSettings(Strict):
    """A benchmark: sources become data sets and weights, data sets become tokens, studies train and are evaluated."""

    size: str = Field(description="Name of this size of the benchmark: smoke, demo, lab, paper, or your own.")
    seeds: Seeds = Field(default=(0,), min_length=1, description="Seeds of every variant that does not name its own.")
    sources: dict[str, SourceSettings] = Field(default={}, description="Pinned package archives, by name.")
    weights: dict[str, PretrainedWeights] = Field(default={}, description="Pretrained weights, by name.")
    datasets: dict[str, SerializeAsAny[DataKind]] = Field(default={}, description="Data sets, by name.")
    encoders: dict[str, EncoderSettings] = Field(default={}, description="Frozen vision encoders, by name.")
    text_encoders: dict[str, TextEncoderSettings] = Field(default={}, description="Frozen text encoders, by name.")
    tokens: dict[Annotated[str, Ref("encoders")], Annotated[tuple[str, ...], Ref("datasets", "images")]] = Field(
        default={},
        description="Encoder → data sets to encode besides those the studies need, e.g. your own photos.",
    )
    benchmarks: dict[str, SerializeAsAny[BenchmarkKind]] = Field(default={}, description="Evaluations, by name.")
    studies: dict[str, dict[str, Any]] = Field(
        default={},
        description="Studies, by name (a folder of `studies/`): `variants`, `report`, and what a study adds.",
    )

    @property
    def known(self) -> dict[str, dict[str, frozenset[str]]]:
        """Section → name → what the thing is and what it holds: what references are checked by."""
        return {
            section: {
                name: frozenset(getattr(one, field) for field in ("kind", "loader", "format") if hasattr(one, field))
                | getattr(one, "holds", frozenset())
                for name, one in getattr(self, section).items()
            }
            for section in NOUNS
        }


def validate_root(config: Mapping[str, Any]) -> RootSettings:
    """Validate a merged configuration, entries set to ``null`` left out, and every reference between its sections.

    Variants are checked by :class:`compactvl.dag.plan.Plan`.

    Raises:
        UserError: every problem of the first kind found, one a line, each with its place.
    """
    config = {key: without_null(value) if key in NAMED_SECTIONS else value for key, value in config.items()}
    problems = []
    for section, package in KINDS.items():
        if isinstance(config.get(section), Mapping):
            find = partial(find_kind, package)
            config[section], wrong = validate_kinds(config[section], section, kind_names(package), find)
            problems += wrong
    try:
        root = validate(RootSettings, config, "")
    except UserError as error:
        problems += str(error).splitlines()
    problems = problems or [
        *_unexpanded(root.model_dump(mode="json"), ""),
        *_bad_names(root),
        *_shared_files(root),
        *reference_problems(references(root), root.known, NOUNS),
    ]
    if problems:
        raise UserError("\n".join(problems))
    return root


def _unexpanded(value: Any, place: str) -> list[str]:
    """Paths as one would write them for a shell: nothing here expands them."""
    if isinstance(value, Mapping):
        return [one for key in value for one in _unexpanded(value[key], f"{place}.{key}" if place else str(key))]
    if isinstance(value, list | tuple):
        return [one for number, item in enumerate(value) for one in _unexpanded(item, f"{place}.{number}")]
    if isinstance(value, str) and re.match(r"~[\w.-]*(/|$)|[^ ]*\$\{?\w", value):
        return [f"{place}: {value}: ~ and variables are not expanded; write the whole path"]
    return []


def _bad_names(root: RootSettings) -> list[str]:
    """Names become file names and wildcards."""
    return [
        f'{section}: "{name}" cannot be a name; use letters, digits and underscores, beginning with a letter'
        for section in NAMED_SECTIONS
        for name in getattr(root, section)
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)
    ]


def _shared_files(root: RootSettings) -> list[str]:
    """Sources whose archives would be one file."""
    archives: dict[str, str] = {}
    return [
        f'sources.{name}.file: "{source.file}" is also the file of {other}; give each its own'
        for name, source in root.sources.items()
        if (other := archives.setdefault(source.file, name)) != name
    ]
