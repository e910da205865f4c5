"""The Brown corpus, sentence by sentence (:mod:`compactvl.data.brown`)."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.data.kind import DataKind
from compactvl.data.ratios import SplitRatios


class Settings(DataKind):
    """The Brown corpus, sentence by sentence, with its tags; split by document."""

    holds = frozenset({"texts"})

    kind: Literal["brown"] = Field(description="The Brown corpus.")
    source: Annotated[str, Ref("sources")] = Field("brown", description="Name of the source of the corpus.")
    seed: int = Field(0, ge=0, description="Seed of the split.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Share of each category's documents a split.")
