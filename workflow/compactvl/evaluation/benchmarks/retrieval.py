"""Two-stage retrieval: candidates by similarity, order by the model's own scores; R@1, R@5, R@10."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import PAIRS, PairScorer
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split, Storage
from compactvl.records.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

LONGEST_LIST = 10
"""R@10 is the longest list reported, so at least ten candidates are kept."""


class Settings(BenchmarkKind):
    """Two-stage text-to-image and image-to-text retrieval, R@1/5/10."""

    ability: ClassVar[str] = PAIRS

    kind: Literal["retrieval"] = Field(description="Text-to-image and image-to-text retrieval with reranked pools.")
    dataset: Annotated[str, Ref("datasets", "captioned_images")] = Field(description="Name of the canonical data set.")
    split: Split = Field(default="test", description="Split whose images are the gallery.")
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
    storage: Storage = "fp16"
    max_images: int | None = Field(
        default=None, ge=2, description="The split's first images in storage order; null takes all."
    )
    gallery: int | None = Field(
        default=None,
        ge=2,
        description="Images a gallery: they are cut into galleries in storage order, each with its own captions, and metrics are "
        "over all queries (COCO's 1K protocol: 5 galleries of 1,000); images that do not fill one are left out. null: one gallery.",
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

    def measure(self, model: PairScorer, layout: Layout) -> Measured:
        """See :class:`BenchmarkKind`."""
        from compactvl.evaluation.pairs import size_metrics
        from compactvl.evaluation.retrieval import retrieval_metrics

        table = self.predictions(model, layout)
        return Measured(table, retrieval_metrics(table, self.pools) + size_metrics(model))

    def predictions(self, model: PairScorer, layout: Layout) -> "pd.DataFrame":
        """Return one row a query: its candidates, and the model's scores of them."""
        import numpy as np
        import pandas as pd

        from compactvl.data.canonical import CanonicalSet
        from compactvl.data.pairs import Pairs
        from compactvl.evaluation.pairs import first_stage_table, rescored, with_captions_from

        pairs = Pairs.of(CanonicalSet.open(layout.dataset(self.dataset)), self.split, self.caption_column)
        count = min(self.max_images or len(pairs.image_ids), len(pairs.image_ids))
        size = min(self.gallery or count, count)
        tables, captions = [], 0
        for begin in range(0, count - size + 1, size):
            part = pairs.subset(np.arange(begin, begin + size))
            matrix = model.similarity(part.image_ids, part.captions)
            table = first_stage_table(matrix, part, self.max_pool, self.queries_per_image)
            table = rescored(table, part, model) if model.reranks else table
            tables.append(with_captions_from(captions, table))
            captions += len(part.captions)
        return pd.concat(tables, ignore_index=True)
