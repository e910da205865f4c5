"""Milliseconds a question: what answering costs where an image is asked about once, and where it is asked about often.

A model says what it computes for each question and, where that does not depend on the question, for each image: the latter is
spread over the questions an image has. Only sizes decide, so texts and images are random.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol

from pydantic import Field

from compactvl.evaluation.kind import BenchmarkKind, Measured
from compactvl.records.layout import Layout
from compactvl.training.optim import Count

QUESTION, IMAGE = "question", "image"
OWN = "own"
"""A variant's own size."""


class Answerer(Protocol):
    """The ability ``latency``."""

    facts: Mapping[str, Any]
    """What the times depend on: device, threads, precision, versions."""
    sizes: tuple[str, ...]
    """Names of the sizes that can be timed: its own, and the published one."""

    def calls(self, size: str, batch: int, words: int) -> Mapping[str, Callable[[], Any]]:
        """Return what is timed: a call for :data:`QUESTION` that answers ``batch`` questions of so many word pieces and, where
        images are computed apart, one for :data:`IMAGE` that computes ``batch`` images.
        """

    def wait(self) -> None:
        """Wait for the device."""


class Settings(BenchmarkKind):
    """Milliseconds a question on the machine at hand, by batch size and by questions an image."""

    ability: ClassVar[str] = "latency"
    timed: ClassVar[bool] = True

    kind: Literal["latency"] = Field(description="Milliseconds a question.")
    batch_sizes: tuple[Count, ...] = Field(
        default=(1, 16), min_length=1, description="Questions that are answered at once."
    )
    questions_an_image: tuple[Count, ...] = Field(
        default=(1, 4, 16, 64), min_length=1, description="Over how many questions an image's share is spread."
    )
    words: Count = Field(default=20, ge=3, description="Word pieces of a question.")
    warmup: int = Field(default=1, ge=0, description="Calls before the clock starts.")
    repeats: int = Field(default=5, ge=3, description="Timed calls; the median is reported, with the quartiles.")
    seconds: float = Field(
        default=1.0, gt=0, description="Time limit of one measurement; at least three calls are made."
    )

    def measure(self, model: Answerer, layout: Layout) -> Measured:
        """Time every size and batch.

        Predictions have one row a measurement: size, batch, part, ms (a question's, or an image's), low, high (quartiles),
        repeats. Metrics are named ``ms/<size>/batch<n>`` where nothing is computed for an image, or it is cached; with
        ``/questions<n>`` behind where the image's share is in it.
        """
        import pandas as pd

        from compactvl.evaluation.efficiency import measure
        from compactvl.evaluation.results import Metric

        rows, metrics = [], []
        limits = {"warmup": self.warmup, "repeats": self.repeats, "seconds": self.seconds}
        for size in model.sizes:
            for batch in self.batch_sizes:
                parts = {}
                for part, call in model.calls(size, batch, self.words).items():
                    timing = measure(call, synchronise=model.wait, **limits)
                    parts[part] = [1000 * s / batch for s in (timing.median, timing.low, timing.high)]
                    row = dict(zip(("ms", "low", "high"), parts[part], strict=True))
                    rows.append({"size": size, "batch": batch, "part": part, **row, "repeats": timing.repeats})
                shares = {"": 0.0}
                if IMAGE in parts:
                    shares |= {f"/questions{number}": 1 / number for number in self.questions_an_image}
                for name, share in shares.items():
                    image = parts.get(IMAGE, [0.0] * 3)
                    value = [q + share * i for q, i in zip(parts[QUESTION], image, strict=True)]
                    metrics.append(Metric(f"ms/{size}/batch{batch}{name}", *value, rows[-1]["repeats"], None, False))
        return Measured(pd.DataFrame(rows), metrics, {"environment": dict(model.facts)})
