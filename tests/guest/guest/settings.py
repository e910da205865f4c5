"""The guest's settings. Planning reads this module, so it imports nothing heavy."""

from itertools import combinations
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import PAIRS
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Needs, Peers, Variant
from compactvl.studies.study import StudySection
from compactvl.training.optim import AdamW

Feature = Literal["pooled", "mean"]


class Optimiser(AdamW):
    """AdamW, and for how long."""

    steps: int = Field(ge=1, description="Optimiser steps.")


class WordBag(Variant):
    """Image features and the caption's words, both mapped linearly to one space."""

    trains: ClassVar[str] = "compactvl.studies.guest.train:train_word_bag"
    opens: ClassVar[dict[str, str]] = {PAIRS: "compactvl.studies.guest.train:open_pairs"}
    counts: ClassVar[str | None] = "compactvl.studies.guest.model:count_parameters"

    kind: Literal["word_bag"]
    encoder: Annotated[str, Ref("encoders")] = Field(description="Vision encoder whose token stores are read.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(description="What it is trained on.")
    features: tuple[Feature, ...] = Field(min_length=1, description="The encoder's own vector, or the tokens' mean.")
    width: int = Field(ge=1, description="Numbers a feature vector has.")
    dim: int = Field(default=64, ge=1, description="Width of the shared space.")
    buckets: int = Field(default=2048, ge=1, description="Rows of the word table; words share them by their hash.")
    optimiser: Optimiser

    def training_needs(self, peers: Peers) -> Needs:
        """Images and captions of its data set."""
        return self._needs(self.dataset)

    def evaluation_needs(self, benchmark: BenchmarkKind, peers: Peers) -> Needs:
        """Images and captions of the benchmark's data set."""
        return self._needs(benchmark.dataset)

    def _needs(self, dataset: str) -> Needs:
        return Needs.of(datasets={dataset}, tokens={(self.encoder, dataset)})


class GuestSection(StudySection):
    """A variant for each set of features, beside those that are written out."""

    features: tuple[Feature, ...] = Field(default=(), description="Features of which every set is a variant.")
    common: dict[str, Any] = Field(default={}, description="Settings that all of these share.")

    def expand(self, where: str) -> dict[str, dict[str, Any]]:
        """Return the generated variants, named ``a+b``, and the others."""
        sets = [part for size in range(len(self.features)) for part in combinations(self.features, size + 1)]
        made = {"+".join(part): {"kind": "word_bag", **self.common, "features": list(part)} for part in sets}
        return made | super().expand(where)
