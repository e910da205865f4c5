"""What a kind of variant says of itself, what a job reads, and a job."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from compactvl.config.base import Seeds, Strict
from compactvl.config.references import Ref
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.records.layout import Layout
from compactvl.records.record import Made

if TYPE_CHECKING:
    from compactvl.data.canonical import CanonicalSet
    from compactvl.vision.store import TokenStore


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

    @classmethod
    def of(cls, **names: Iterable[Any]) -> "Needs":
        """Needs of some names, those that are ``None`` left out."""
        return cls(**{key: frozenset(values) - {None} for key, values in names.items()})

    def __or__(self, other: "Needs") -> "Needs":
        """Union, field by field."""
        return Needs(*(getattr(self, f.name) | getattr(other, f.name) for f in fields(self)))


Peers = Mapping[str, "Variant"]
"""Resolved variants of a study by name: all of them where the DAG is drawn, in a job those it builds on and itself."""


class Variant(Strict):
    """Settings that every variant has, and base of the kinds of variant a study has.

    A kind names its code as ``module:function``, so that planning imports none of it, and so that a job's code digest
    covers what that kind runs and nothing else.
    """

    trains: ClassVar[str]
    """(job) → ``None``: trains and writes the run."""
    opens: ClassVar[Mapping[str, str]] = {}
    """Ability (:mod:`compactvl.evaluation.abilities`) → (job, benchmark) → the trained model that has it."""
    counts: ClassVar[str | None] = None
    """(settings, peers) → (part, number of parameters) of each part, without loading weights."""

    kind: str = Field(description="Which of the study's models and training procedures this is.")
    benchmarks: Annotated[tuple[str, ...], Ref("benchmarks")] = Field(
        default=(), description="Names of the benchmarks it is evaluated on."
    )
    seeds: Seeds | None = Field(
        default=None, description="Seeds to train; default: the config's `seeds`; []: left to another size."
    )
    threads: int = Field(
        default=1, ge=1, description="CPU threads of its training and evaluation (part of the result)."
    )

    def training_needs(self, peers: Peers) -> Needs:
        """What training reads, besides the runs of the variants it names."""
        return Needs()

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """What evaluation on a benchmark reads, besides its own run and the benchmark's data sets."""
        return Needs()

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """Whether it can be evaluated on a benchmark, and why not."""
        return benchmark.ability in self.opens, f"kind {self.kind} has no ability {benchmark.ability!r}"

    def opened_by(self, ability: str, peers: Peers) -> list[str]:
        """``module:function`` of everything that opening a model of the ability calls by name."""
        return [self.opens[ability]]

    def problems(self, peers: Peers) -> Iterator[tuple[str, str]]:
        """Yield (setting, what is wrong) of what it says of its peers, once they are known to be there."""
        yield from ()


@dataclass(frozen=True)
class Job:
    """One training or evaluation job.

    Attributes:
        study, variant, seed: which one.
        settings: the variant's resolved settings.
        layout: where everything is.
        output: folder the job writes to.
        peers: resolved settings of the variants it builds on, and its own.
        scratch: folder for resume state (training), or ``None``.
        identity: what it is made from; ``None`` of a job that is not to write anything.
    """

    study: str
    variant: str
    seed: int
    settings: Any
    layout: Layout
    output: Path
    peers: Peers = field(default_factory=dict)
    scratch: Path | None = None
    identity: Made | None = None

    @property
    def run(self) -> Path:
        """Folder of its own variant's run."""
        return self.peer_run(self.variant)

    def peer_run(self, variant: str) -> Path:
        """Folder of a peer's run of the same seed."""
        return self.layout.run(self.study, variant, self.seed)

    def peer(self, variant: str) -> "Job":
        """The same job for a variant it builds on."""
        return replace(self, variant=variant, settings=self.peers[variant])

    def dataset(self, name: str) -> "CanonicalSet":
        """Open a data set."""
        from compactvl.data.canonical import CanonicalSet

        return CanonicalSet.open(self.layout.dataset(name))

    def tokens(self, encoder: str, dataset: str) -> "TokenStore":
        """Open a token store."""
        from compactvl.vision.store import TokenStore

        return TokenStore.open(self.layout.tokens(encoder, dataset))
