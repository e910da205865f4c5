"""Winoground's form: two images, two captions of the same words; text, image and group score."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import PAIRS, PairScorer
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split, Storage
from compactvl.records.layout import Layout


class Settings(BenchmarkKind):
    """Two images and two captions of the same words: text, image and group score."""

    ability: ClassVar[str] = PAIRS

    kind: Literal["winoground"] = Field(description="Two images, two captions of the same words.")
    dataset: Annotated[str, Ref("datasets", "winoground")] = Field(
        description="Name of the canonical data set (item_id, image_0/1, caption_0/1, kind)."
    )
    split: Split = "test"
    storage: Storage = "fp16"

    def measure(self, model: PairScorer, layout: Layout) -> Measured:
        """See :class:`BenchmarkKind`."""
        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.pairs import winoground_table
        from compactvl.evaluation.winoground import winoground_metrics

        table = winoground_table(model, CanonicalSet.open(layout.dataset(self.dataset)).split(self.split))
        return Measured(table, winoground_metrics(table))
