"""Latency and throughput of the online stage on the machine at hand."""

from typing import Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.kind import BenchmarkKind, Measured
from compactvl.records.layout import Layout


class OnlineStage(Protocol):
    """The ability ``online``: a model whose online stage can be timed."""

    variant: str

    def timings(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Time it and the references beside it.

        Returns:
            Rows of :func:`compactvl.evaluation.efficiency.timing_row`, and what the times depend on
            (:func:`compactvl.evaluation.efficiency.environment`).
        """


class Settings(BenchmarkKind):
    """Latency and throughput of the online stage on the machine at hand."""

    ability: ClassVar[str] = "online"
    timed: ClassVar[bool] = True

    kind: Literal["efficiency"] = Field(description="Latency, throughput and storage of the online stage.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(
        description="Data set whose captions and stored tokens are scored."
    )
    pairs: int = Field(default=64, ge=1, description="Caption-image pairs of the latency measurement.")
    batch_sizes: tuple[int, ...] = Field(
        default=(1, 16, 64, 256), min_length=1, description="Batches of the throughput sweep."
    )
    warmup: int = Field(default=2, ge=0, description="Calls before the clock starts.")
    repeats: int = Field(default=7, ge=3, description="Timed calls; the median is reported, with the quartiles.")
    seconds: float = Field(
        default=5.0, gt=0, description="Time limit of one measurement; at least three calls are made."
    )

    def measure(self, model: OnlineStage, layout: Layout) -> Measured:
        """See :class:`BenchmarkKind`."""
        import pandas as pd

        from compactvl.evaluation.efficiency import efficiency_metrics

        rows, environment = model.timings()
        own = [row for row in rows if row["variant"] == model.variant]
        return Measured(pd.DataFrame(rows), efficiency_metrics(own), {"environment": environment})
