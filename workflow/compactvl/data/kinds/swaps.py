"""Pairs of scenes and captions of the same words, in Winoground's form (:mod:`compactvl.data.swaps`)."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.data.kind import DataKind


class Settings(DataKind):
    """Pairs of scenes and captions of the same words, in Winoground's form."""

    holds = frozenset({"images", "winoground", "caption_choice"})
    reads_archives_of_sets = True

    kind: Literal["swaps"] = Field(description="Minimal pairs of scenes.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    scenes: Annotated[str, Ref("datasets", "scenes")] = Field(
        "scenes", description="Name of the scenes data set whose concepts and look are used."
    )
    pairs: int = Field(200, ge=4, description="Number of pairs, shared equally among the kinds.")
    kinds: tuple[Literal["left_right", "above_below", "count", "size"], ...] = Field(
        ("left_right", "above_below", "count", "size"), min_length=1, description="What is exchanged."
    )
