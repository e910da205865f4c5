"""What the gates of a decoder do, word by word of held-out captions, and in items where the image is needed or not."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol

from pydantic import Field, model_validator

from compactvl.config.references import Ref
from compactvl.evaluation.kind import BenchmarkKind, Measured, Split
from compactvl.records.layout import Layout

if TYPE_CHECKING:
    from compactvl.evaluation.gate_values import WordValues


class GateReader(Protocol):
    """The ability ``gates``: a model that says, word by word, how far it looks at the image."""

    trained_on: tuple[str, ...]
    """Data sets whose training texts give words their frequency."""

    def word_values(self, texts: Sequence[Sequence[str]], image_ids: Sequence[str], dataset: str) -> "list[WordValues]":
        """Return the values of each text's words.

        Args:
            texts: each a list of words. image_ids: one a text, of the images of ``dataset``.
        """


class Settings(BenchmarkKind):
    """What the gates do, word by word of held-out captions, and in items where the image is needed or not."""

    ability: ClassVar[str] = "gates"

    kind: Literal["gates"] = Field(description="Gate values by part of speech, frequency, concreteness and need.")
    dataset: Annotated[str, Ref("datasets", "captions")] = Field(
        description="Captioned data set with parts of speech (column pos)."
    )
    split: Split = Field(default="test", description="Split whose captions are read.")
    max_items: int | None = Field(
        default=None, ge=1, description="Captions read: a fixed subset spread evenly over the table; null takes all."
    )
    probe: Annotated[str | None, Ref("datasets", "probe")] = Field(
        default=None, description="Data set of kind scene_probe; null: no probe."
    )
    images: Annotated[str | None, Ref("datasets")] = Field(
        default=None, description="Data set whose images the probe's items name."
    )
    concreteness: str | None = Field(
        default=None,
        min_length=1,
        description="File of concreteness norms in the columns of Brysbaert et al. (2014); null leaves concreteness out.",
    )

    @model_validator(mode="after")
    def _probe_has_images(self) -> "Settings":
        if (self.probe is None) != (self.images is None):
            raise ValueError("probe and images belong together: set both or neither")
        return self

    def measure(self, model: GateReader, layout: Layout) -> Measured:
        """See :class:`BenchmarkKind`."""
        import numpy as np
        import pandas as pd

        from compactvl.data.canonical import CanonicalSet
        from compactvl.evaluation.gate_values import caption_gates, probe_gates
        from compactvl.evaluation.gates import gates_metrics
        from compactvl.evaluation.norms import concreteness, log_frequencies

        def opened(name: str) -> CanonicalSet:
            return CanonicalSet.open(layout.dataset(name))

        table = caption_gates(model, opened(self.dataset), self.split, self.max_items)
        if self.probe is not None:
            probe = probe_gates(model, opened(self.probe).split(self.split), self.images)
            table = pd.concat([table, probe], ignore_index=True)
        sets = [opened(name) for name in model.trained_on]
        texts = (text for one in sets for text in one.split("train")[one.text_column])
        table["frequency"] = log_frequencies(table["word"], texts)
        table["concreteness"] = concreteness(table["word"], self.concreteness) if self.concreteness else np.nan
        return Measured(table, gates_metrics(table))
