"""What a study tells the rest of the pipeline: its settings, what its jobs need, and what its models can do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.records.layout import Layout


class VariantBase(Strict):
    """Settings every variant of every study has."""

    kind: str = Field(description="Which of the study's models and training procedures this is.")
    benchmarks: tuple[str, ...] = Field(default=(), description="Names of the benchmarks it is evaluated on.")
    seeds: tuple[int, ...] | None = Field(default=None, description="Seeds to train; default: the config's `seeds`.")
    threads: int = Field(
        default=1, ge=1, description="CPU threads of its training and evaluation (part of the result)."
    )


@dataclass(frozen=True)
class Needs:
    """What a job reads: these become the DAG's edges.

    Attributes:
        datasets: canonical data sets by name.
        tokens: (encoder, data set) pairs of token stores.
        texts: (text encoder, data set) pairs of caption vectors.
        weights: converted pretrained weights by name.
        variants: variants of the same study whose run (same seed) is read.
        encoders: vision encoders whose settings and weights are read.
        files: the user's own files.
    """

    datasets: frozenset[str] = frozenset()
    tokens: frozenset[tuple[str, str]] = frozenset()
    texts: frozenset[tuple[str, str]] = frozenset()
    weights: frozenset[str] = frozenset()
    variants: frozenset[str] = frozenset()
    encoders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()

    def __or__(self, other: "Needs") -> "Needs":
        """Union, field by field."""
        return Needs(*(getattr(self, f.name) | getattr(other, f.name) for f in fields(self)))


@dataclass(frozen=True)
class Identity:
    """What a job computes with, and the key over all of it.

    Attributes:
        code: digest of the source code.
        inputs: name → SHA-256 of the record of everything the job reads.
        key: SHA-256 over version, code, settings, seed and inputs; two jobs of one key have one outcome.
    """

    code: str
    inputs: Mapping[str, str]
    key: str


@dataclass(frozen=True)
class Job:
    """One training or evaluation job.

    Attributes:
        study, variant, seed: which one.
        settings: the variant's resolved settings.
        layout: where everything is.
        output: folder the job writes to.
        peers: resolved settings of every variant of the study, for those it builds on.
        scratch: folder for resume state (training), or ``None``.
        identity: what identifies it, where that is known already.
        started: ``time.monotonic()`` at its start, or ``None``.
    """

    study: str
    variant: str
    seed: int
    settings: Any
    layout: Layout
    output: Path
    peers: Mapping[str, Any] = field(default_factory=dict)
    scratch: Path | None = None
    identity: Identity | None = None
    started: float | None = None


class Study(Protocol):
    """A paper's folder exposes one object of this form as ``STUDY`` in its ``__init__.py``."""

    name: str

    def resolve(self, variants: Mapping[str, Mapping[str, Any]], where: str) -> dict[str, VariantBase]:
        """Validate the variants (already merged with their bases); raise ``UserError`` with every problem."""

    def training_needs(self, settings: Any, peers: Mapping[str, Any]) -> Needs:
        """What training a variant reads."""

    def evaluation_needs(self, settings: Any, benchmark: Any, peers: Mapping[str, Any]) -> Needs:
        """What evaluating a variant on a benchmark reads, besides the variant's own run."""

    def supports(self, settings: Any, benchmark: Any) -> tuple[bool, str]:
        """Whether a variant can be evaluated on a benchmark, and why not."""

    def train(self, job: Job) -> None:
        """Train and write ``model.safetensors``, ``settings.json``, ``log.jsonl`` and the manifest."""

    def evaluate(self, job: Job, name: str, benchmark: Any) -> None:
        """Evaluate a trained variant and write the result pair."""

    def parameters(self, settings: Any, peers: Mapping[str, Any]) -> Sequence[tuple[str, int]]:
        """(part, number of parameters) of a variant, without loading weights."""
