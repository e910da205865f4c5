"""Benchmarks: what a trained variant is measured on. The ``kind`` decides which settings a benchmark has."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from compactvl.config.base import Strict
from compactvl.config.language_benchmarks import GatesBenchmark, LanguageBenchmark
from compactvl.config.references import Ref

LONGEST_LIST = 10
"""R@10 is the longest list reported, so at least ten candidates are kept."""


class RetrievalBenchmark(Strict):
    """Two-stage text-to-image and image-to-text retrieval, R@1/5/10."""

    kind: Literal["retrieval"] = Field(description="Text-to-image and image-to-text retrieval with reranked pools.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(
        min_length=1, description="Name of the canonical data set."
    )
    split: Literal["train", "val", "test"] = Field(default="test", description="Split whose images are the gallery.")
    pools: tuple[int, ...] = Field(
        default=(10,), min_length=1, description="Numbers of first-stage candidates that are reranked; one metric each."
    )
    queries_per_image: int | None = Field(
        default=None,
        ge=1,
        description="Captions an image that are text-to-image queries; null takes all. "
        "Image-to-text always ranks all captions.",
    )
    caption_column: str = Field(default="caption", description="Column of items.parquet that holds the text.")
    storage: Literal["fp16", "int8", "fp8"] = Field(
        default="fp16", description="How the image tokens are stored between the offline and the online stage."
    )
    max_images: int | None = Field(
        default=None, ge=2, description="Gallery size limit: the split's first images in storage order; null takes all."
    )

    @field_validator("pools")
    @classmethod
    def _ascending(cls, pools: tuple[int, ...]) -> tuple[int, ...]:
        if any(pool < 1 for pool in pools) or list(pools) != sorted(set(pools)):
            raise ValueError("pools must be positive, ascending and different")
        return pools

    @property
    def max_pool(self) -> int:
        """Candidates scored a query: the largest pool, and never fewer than R@10 needs."""
        return max(*self.pools, LONGEST_LIST)


class WinogroundBenchmark(Strict):
    """Two images and two captions of the same words: text, image and group score."""

    kind: Literal["winoground"] = Field(description="Two images, two captions of the same words.")
    dataset: Annotated[str, Ref("datasets", "winoground")] = Field(
        min_length=1, description="Name of the canonical data set (item_id, image_0/1, caption_0/1, kind)."
    )
    split: Literal["train", "val", "test"] = Field(default="test", description="Split that is scored.")
    storage: Literal["fp16", "int8", "fp8"] = Field(default="fp16", description="How the image tokens are stored.")


class EfficiencyBenchmark(Strict):
    """Latency and throughput of the online stage on the machine at hand."""

    kind: Literal["efficiency"] = Field(description="Latency, throughput and storage of the online stage.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(
        min_length=1, description="Data set whose captions and stored tokens are scored."
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


BenchmarkSettings = Annotated[
    RetrievalBenchmark | WinogroundBenchmark | EfficiencyBenchmark | LanguageBenchmark | GatesBenchmark,
    Field(discriminator="kind", description="What is measured; `kind` decides the other settings."),
]
