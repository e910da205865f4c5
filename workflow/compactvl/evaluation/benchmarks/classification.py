"""Choosing one of a fixed list of answers: questions, statements about images, entailment.

The list is the fact ``answers`` in the data set's manifest; logits are over it, in its order. What an item holds says how its
answer is scored:

| column | is | score of a prediction |
|---|---|---|
| ``answers`` | JSON list of ten annotators' answers | VQA's soft score, 0, .3, .6, .9 or 1 |
| ``answer`` | the right answer's text | 1 if right |
| ``label`` | its place in the list (false, true; contradiction, entailment, neutral) | 1 if right |

The first of them that is there counts. A right answer that is not in the list cannot be chosen: such an item is wrong, and never
left out. Beside them an item has ``item_id``, ``split``, its image ``image_id`` (or two, ``image_0`` and ``image_1``), and the
text that the model reads (``question``, ``statement`` or ``hypothesis``). A ``type`` groups items; a ``sentence_id`` says which
items ask the same statement of different images, for consistency.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.evaluation.abilities import LOGITS, Classifier
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split
from compactvl.records.layout import Layout


class Settings(BenchmarkKind):
    """Accuracy or soft score of the chosen answers, by type of item too, and consistency over a statement's images."""

    ability: ClassVar[str] = LOGITS

    kind: Literal["classification"] = Field(description="Choosing one of a fixed list of answers.")
    dataset: Annotated[str, Ref("datasets", "answers")] = Field(
        description="Data set of the items; its manifest lists the answers."
    )
    images: Annotated[str | None, Ref("datasets", "images")] = Field(
        default=None, description="Data set whose images the items name; null: it holds them itself."
    )
    split: Split = "test"

    def measure(self, model: Classifier, layout: Layout) -> Measured:
        """See :func:`compactvl.evaluation.classification.classify`."""
        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.answers import answers_of
        from compactvl.evaluation.classification import classification_metrics, classify

        dataset = CanonicalSet.open(layout.dataset(self.dataset))
        predictions = classify(model, dataset.name, dataset.items, answers_of(dataset), self.split)
        return Measured(predictions, classification_metrics(predictions))
