"""What every kind of benchmark is: its settings, the ability it asks a model for, and how that is measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.config.references import named
from compactvl.records.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

    from compactvl.evaluation.results import Metric

Split = Annotated[Literal["train", "val", "test"], Field(description="Split that is scored.")]
Storage = Annotated[
    Literal["fp16", "int8", "fp8"],
    Field(description="How the image tokens are stored between the offline and the online stage."),
]


@dataclass(frozen=True)
class Measured:
    """What a benchmark found.

    Attributes:
        predictions: one row an item, enough to compute the metrics again. metrics: computed from them.
        facts: further deterministic facts for the result's record.
    """

    predictions: "pd.DataFrame"
    metrics: "Sequence[Metric]"
    facts: Mapping[str, Any] = field(default_factory=dict)


class BenchmarkKind(Strict):
    """Base of the settings of a kind of benchmark: the class ``Settings`` of ``evaluation/benchmarks/<kind>.py``."""

    ability: ClassVar[str]
    """What a variant must be able to do (:mod:`compactvl.evaluation.abilities`)."""
    timed: ClassVar[bool] = False
    """Whether it measures time, so that nothing may run beside it."""

    kind: str

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every data set its settings name, sorted."""
        return tuple(sorted(named(self, "datasets")))

    def measure(self, model: Any, layout: Layout) -> Measured:
        """Measure a model that has the ability.

        Args:
            model: what the variant's ``opens`` gave. layout: where the data sets are.
        """
        raise TypeError(f"benchmark kind {self.kind} does not say how it is measured")
