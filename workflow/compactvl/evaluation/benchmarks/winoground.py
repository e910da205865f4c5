"""Winoground's form: two images, two captions of the same words; text, image and group score."""

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import PAIRS, PairScorer
from compactvl.evaluation.kind import BenchmarkKind, Measured

if TYPE_CHECKING:
    from compactvl.records.layout import Layout


class Settings(BenchmarkKind):
    """Two images and two captions of the same words: text, image and group score."""

    ability: ClassVar[str] = PAIRS

    kind: Literal["winoground"] = Field(description="Two images, two captions of the same words.")
    dataset: Annotated[str, Ref("datasets", "winoground")] = Field(
        min_length=1, description="Name of the canonical data set (item_id, image_0/1, caption_0/1, kind)."
    )
    split: Literal["train", "val", "test"] = Field(default="test", description="Split that is scored.")
    storage: Literal["fp16", "int8", "fp8"] = Field(default="fp16", description="How the image tokens are stored.")

    def measure(self, model: PairScorer, layout: "Layout", seed: int) -> Measured:
        """See :class:`BenchmarkKind`."""
        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.pairs import winoground_table
        from compactvl.evaluation.winoground import winoground_metrics

        table = winoground_table(model, CanonicalSet.open(layout.dataset(self.dataset)).split(self.split))
        return Measured(table, winoground_metrics(table))
