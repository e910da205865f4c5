"""The whole configuration: what is run. How it is run here is in ``profiles/``."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from compactvl.config.base import Strict, did_you_mean, validate
from compactvl.config.benchmarks import BenchmarkSettings
from compactvl.config.datasets import DatasetSettings
from compactvl.config.encoders import EncoderSettings
from compactvl.config.overlay import without_null
from compactvl.config.sources import SourceSettings
from compactvl.config.texts import TextEncoderSettings
from compactvl.config.weights import PretrainedWeights
from compactvl.errors import UserError

NAMED_SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks", "studies", "tokens")


class StudySection(Strict):
    """One study: its variants. Their settings are the study's own, in ``studies/<name>/settings.py``."""

    variants: dict[str, dict[str, Any] | None] = Field(
        default={},
        description="Name → settings of a variant. `base: <other>` begins from another variant's settings; "
        "null switches a variant off.",
    )
    report: bool = Field(default=True, description="Whether `reports/<study>.py` is run and linked from the index.")


class RootSettings(Strict):
    """A benchmark: sources become data sets and weights, data sets become tokens, studies train and are evaluated."""

    size: str = Field(description="Name of this size of the benchmark: smoke, demo, paper, or your own.")
    seeds: tuple[int, ...] = Field(
        default=(0,), min_length=1, description="Seeds of every variant that does not name its own."
    )
    sources: dict[str, SourceSettings] = Field(default={}, description="Pinned package archives, by name.")
    weights: dict[str, PretrainedWeights] = Field(default={}, description="Pretrained weights, by name.")
    datasets: dict[str, DatasetSettings] = Field(default={}, description="Data sets, by name.")
    encoders: dict[str, EncoderSettings] = Field(default={}, description="Frozen vision encoders, by name.")
    text_encoders: dict[str, TextEncoderSettings] = Field(default={}, description="Frozen text encoders, by name.")
    tokens: dict[str, tuple[str, ...]] = Field(
        default={},
        description="Encoder → data sets to encode besides those the studies need, e.g. your own photos.",
    )
    benchmarks: dict[str, BenchmarkSettings] = Field(default={}, description="Evaluations, by name.")
    studies: dict[str, StudySection] = Field(default={}, description="Studies, by name (a folder of `studies/`).")


def validate_root(config: Mapping[str, Any]) -> RootSettings:
    """Validate a merged configuration, entries set to ``null`` left out, and every reference between sections.

    References that only a data set's or a study's own code knows are checked by :class:`compactvl.plan.Plan`.

    Raises:
        UserError: every problem of the first kind found, one a line, each with its place.
    """
    config = {key: without_null(value) if key in NAMED_SECTIONS else value for key, value in config.items()}
    root = validate(RootSettings, config, "")
    problems = [*_bad_names(root), *_bad_references(root)]
    if problems:
        raise UserError("\n".join(problems))
    return root


def encoder_weights(encoder: EncoderSettings | TextEncoderSettings) -> str | None:
    """Return the name of the converted weights an encoder loads; ``None`` where its library has its own."""
    return getattr(encoder, "weights", None)


def weights_source(weights: PretrainedWeights) -> str | None:
    """Return the name of the source whose archive holds the weights; ``None`` where they come from the Hub or a folder."""
    return getattr(weights, "source", None)


def missing(name: str, known: Mapping[str, Any], place: str, what: str) -> list[str]:
    """Return one line if ``name`` is not in ``known``, with a suggestion; otherwise nothing."""
    return [] if name in known else [f'{place}: unknown {what} "{name}"{did_you_mean(name, known)}']


def _bad_names(root: RootSettings) -> list[str]:
    """Names become file names and wildcards."""
    named = {section: getattr(root, section) for section in NAMED_SECTIONS}
    named |= {f"studies.{name}.variants": section.variants for name, section in root.studies.items()}
    return [
        f'{section}: "{name}" cannot be a name; use letters, digits and underscores, beginning with a letter'
        for section, entries in named.items()
        for name in entries
        if not name.isascii() or not name.isidentifier() or name.startswith("_")
    ]


def _bad_references(root: RootSettings) -> list[str]:
    problems = []
    for name, weights in root.weights.items():
        source = weights_source(weights)
        if source is not None:
            problems += missing(source, root.sources, f"weights.{name}.source", "source")
    for name, encoder in root.encoders.items():
        weights = encoder_weights(encoder)
        if weights is not None:
            problems += missing(weights, root.weights, f"encoders.{name}.weights", "weights")
    for name, text_encoder in root.text_encoders.items():
        weights = encoder_weights(text_encoder)
        if weights is not None:
            problems += missing(weights, root.weights, f"text_encoders.{name}.weights", "weights")
    for name, datasets in root.tokens.items():
        problems += missing(name, root.encoders, f"tokens.{name}", "encoder")
        for dataset in datasets:
            problems += missing(dataset, root.datasets, f"tokens.{name}", "data set")
    for name, benchmark in root.benchmarks.items():
        for place, dataset in _named_datasets(benchmark.model_dump(mode="json"), f"benchmarks.{name}"):
            problems += missing(dataset, root.datasets, place, "data set")
    return problems


def _named_datasets(settings: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield (place, name) of every data set a benchmark names, in its tasks too."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _named_datasets(value, f"{place}.{key}")
        elif key in ("dataset", "images", "probe") and value is not None:
            yield f"{place}.{key}", value
