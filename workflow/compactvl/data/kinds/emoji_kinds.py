"""What kind of thing an emoji is (:mod:`compactvl.data.emoji_kinds`)."""

from typing import Annotated, Literal

from pydantic import Field

from compactvl.config.references import Ref
from compactvl.data.kind import DataKind
from compactvl.data.ratios import SplitRatios


class Settings(DataKind):
    """Single emoji and their groups in Unicode's ordering; no emoji is in two splits."""

    holds = frozenset({"images", "answers"})

    kind: Literal["emoji_kinds"] = Field(description="Emoji and the groups they belong to.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    styles: Annotated[tuple[str, ...], Ref("sources")] = Field(
        ("noto", "twemoji", "fluent", "openmoji"),
        min_length=1,
        description="Names of the artwork sources (art styles).",
    )
    names: Annotated[str, Ref("sources")] = Field("emojibase", description="Name of the source of emoji groups.")
    least: int = Field(12, ge=3, description="Emoji that a subgroup must have to be asked for.")
    max_emoji: int | None = Field(None, ge=40, description="Most emoji, drawn at random; null: all.")
    splits: SplitRatios = Field(
        SplitRatios(train=0.55, val=0.1, test=0.35), description="Shares of the emoji, by a seeded hash of each."
    )
    image_size: int = Field(112, ge=56, le=1024, description="Height and width of an image in pixels.")
