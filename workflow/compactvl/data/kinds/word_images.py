"""Pictures of one written word (:mod:`compactvl.data.word_images`)."""

from typing import Literal

from pydantic import Field

from compactvl.config.base import Strict
from compactvl.data.kind import Count, DataKind


class Renders(Strict):
    """Pictures of each word, a split."""

    train: Count = Field(12, description="Training pictures of a word.")
    val: Count = Field(3, description="Validation pictures of a word: for choices made while developing.")
    test: Count = Field(8, description="Test pictures of a word: what results are reported on.")


class Settings(DataKind):
    """Pictures of one written word, and the question which; to read it is to choose among the words."""

    holds = frozenset({"images", "answers"})

    kind: Literal["word_images"] = Field(description="Pictures of a written word.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    words: int = Field(40, ge=2, le=62, description="How many words there are.")
    renders: Renders = Field(default_factory=Renders, description="Pictures a split.")
    image_size: int = Field(112, ge=56, le=1024, description="Height and width of an image in pixels.")
