"""The whole configuration: what is run. How it is run here is in ``profiles/``."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from compactvl.config.base import Strict, did_you_mean, validate
from compactvl.config.benchmarks import BenchmarkSettings
from compactvl.config.datasets import CAPTIONED, WITH_IMAGES, DatasetSettings
from compactvl.config.encoders import EncoderSettings
from compactvl.config.language_benchmarks import LanguageTask
from compactvl.config.overlay import without_null
from compactvl.config.sources import SourceSettings
from compactvl.config.texts import TextEncoderSettings
from compactvl.config.weights import PretrainedWeights
from compactvl.errors import UserError

ITEMS = {
    "retrieval": CAPTIONED,
    "efficiency": CAPTIONED,
    "winoground": ("swaps",),
    "gates": (*CAPTIONED, "babylm_captions"),
}
"""Kind of benchmark → kinds of data set whose items it can read."""
TASK_ITEMS = {
    "minimal_pairs": ("brown_pairs", "blimp"),
    "ewok": ("scene_ewok", "ewok"),
    "ranked_answers": ("scene_vqa", "scene_probe", "vqa"),
    "winoground": ("swaps", "babylm_winoground"),
}
TEXT_COLUMNS = {
    "text": ("brown", "text_lines"),
    "caption": (*CAPTIONED, "babylm_captions"),
    "prompt": ("scene_probe",),
}
"""Column that perplexity is measured on → kinds of data set that have it."""
NAMED_SECTIONS = ("sources", "weights", "datasets", "encoders", "text_encoders", "benchmarks", "studies", "tokens")


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if (repeated := next((seed for seed in seeds if seeds.count(seed) > 1), None)) is not None:
        raise ValueError(f"{repeated} is given twice; delete one")
    return seeds


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
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], AfterValidator(_different)] = Field(
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

    References that only a data set's or a study's own code knows are checked by :class:`compactvl.dag.plan.Plan`.

    Raises:
        UserError: every problem of the first kind found, one a line, each with its place.
    """
    config = {key: without_null(value) if key in NAMED_SECTIONS else value for key, value in config.items()}
    root = validate(RootSettings, config, "")
    problems = [*_bad_names(root), *_bad_references(root)] or _bad_kinds(root)
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
    archives: dict[str, str] = {}
    for name, source in root.sources.items():
        other = archives.setdefault(source.file, name)
        if other != name:
            problems.append(f'sources.{name}.file: "{source.file}" is also the file of {other}; give each its own')
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


def _bad_kinds(root: RootSettings) -> list[str]:
    """Data sets that are there but of a kind that lacks what is asked of them."""
    problems = []
    for encoder, datasets in root.tokens.items():
        for dataset in datasets:
            problems += without_images(root, dataset, f"tokens.{encoder}")
    for name, benchmark in root.benchmarks.items():
        place = f"benchmarks.{name}"
        if benchmark.kind in ITEMS:
            problems += _unfit(root, benchmark.dataset, ITEMS[benchmark.kind], f"{place}.dataset")
        for key, task in getattr(benchmark, "tasks", {}).items():
            problems += _unfit(root, task.dataset, _kinds_of_task(task), f"{place}.tasks.{key}.dataset")
        if getattr(benchmark, "probe", None) is not None:
            problems += _unfit(root, benchmark.probe, ("scene_probe",), f"{place}.probe")
    return problems


def without_images(root: RootSettings, dataset: str, place: str) -> list[str]:
    """Return one line if a data set of the config has no images to encode; otherwise nothing."""
    return _unfit(root, dataset, WITH_IMAGES, place, "has no images to encode")


def _kinds_of_task(task: LanguageTask) -> tuple[str, ...]:
    return TEXT_COLUMNS[task.text_column] if task.kind == "perplexity" else TASK_ITEMS[task.kind]


def _unfit(
    root: RootSettings, name: str, kinds: tuple[str, ...], place: str, lack: str = "has no such items"
) -> list[str]:
    kind = root.datasets[name].kind
    if kind in kinds:
        return []
    return [f'{place}: data set "{name}" (kind {kind}) {lack}; name one of kind {" or ".join(kinds)}']


def _named_datasets(settings: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield (place, name) of every data set a benchmark names, in its tasks too."""
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _named_datasets(value, f"{place}.{key}")
        elif key in ("dataset", "images", "probe") and value is not None:
            yield f"{place}.{key}", value
