"""Choosing the box that an expression means among an item's candidates (RefCOCO's form).

An item has ``item_id``, ``split``, ``image_id``, ``expression``, ``boxes`` (JSON list of [x, y, width, height] in pixels) and
``target``, the place of the right one among them. Where a detector found the boxes, the right one is instead a box of its own,
``target_box`` (JSON), and every candidate that overlaps it enough is right. A ``type`` groups items: testA, testB.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import LOGITS, Classifier
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split
from compactvl.records.layout import Layout


class Settings(BenchmarkKind):
    """Accuracy of the chosen boxes."""

    ability: ClassVar[str] = LOGITS

    kind: Literal["grounding"] = Field(description="Choosing the box that an expression means.")
    dataset: Annotated[str, Ref("datasets", "boxes")] = Field(description="Data set of the items.")
    images: Annotated[str | None, Ref("datasets", "images")] = Field(
        default=None, description="Data set whose images the items name; null: it holds them itself."
    )
    split: Split = "test"

    def measure(self, model: Classifier, layout: Layout) -> Measured:
        """See :func:`compactvl.evaluation.grounding.ground`."""
        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.classification import classification_metrics
        from compactvl.evaluation.grounding import ground

        dataset = CanonicalSet.open(layout.dataset(self.dataset))
        predictions = ground(model, dataset.name, dataset.items, self.split)
        return Measured(predictions, classification_metrics(predictions))
