"""Kinds of variant that any study can have: controls, and the fusion of a reranker with its first stage."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import LOGITS, PAIRS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant


class Wrapping(Variant):
    """A variant without weights of its own, made from another one's model."""

    of: Annotated[str, Ref("variants")] = Field(description="The variant whose model it is made from.")

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """The other variant's needs, and its run."""
        return peers[self.of].evaluation_needs(benchmark, peers) | Needs.of(variants={self.of})

    def supports(self, benchmark: BenchmarkKind, peers: Peers) -> tuple[bool, str]:
        """What it has a wrapper for and the other variant can."""
        able, reason = super().supports(benchmark, peers)
        return peers[self.of].supports(benchmark, peers) if able else (able, reason)

    def opened_by(self, ability: str, peers: Peers) -> list[str]:
        """Its own, and the other variant's."""
        return [self.opens[ability], *peers[self.of].opened_by(ability, peers)]


class Control(Wrapping):
    """A negative control: random scores, or a trained model that sees other images."""

    trains: ClassVar[str] = "compactvl.studies.run:train_nothing"
    opens: ClassVar[dict[str, str]] = dict.fromkeys((PAIRS, LOGITS), "compactvl.studies.wrapped:open_control")

    kind: Literal["control"]
    control: Literal["random_scores", "shuffled_images"]


class ScoreFusion(Wrapping):
    """A trained reranker's score plus a weight times the first-stage similarity; the weight is chosen on validation."""

    trains: ClassVar[str] = "compactvl.studies.wrapped:train_fusion"
    opens: ClassVar[dict[str, str]] = {PAIRS: "compactvl.studies.wrapped:open_fusion"}

    kind: Literal["score_fusion"]
    weights: tuple[float, ...] = Field(default=(0, 1, 2, 5, 10, 20, 40, 80), description="Weights that are tried.")

    def validation(self, peers: Peers) -> BenchmarkKind:
        """The benchmark its weight is chosen on: the validation split of what the reranker was trained on."""
        from compactvl.evaluation.benchmarks.retrieval import Settings

        return Settings(
            kind="retrieval", dataset=peers[self.of].dataset, split="val", pools=(POOL,), queries_per_image=1
        )

    def training_needs(self, peers: Peers) -> Needs:
        """What scoring the validation split reads."""
        benchmark = self.validation(peers)
        return peers[self.of].evaluation_needs(benchmark, peers) | Needs.of(datasets=benchmark.datasets)


POOL = 10
"""Candidates that are reranked where the fusion's weight is chosen."""
