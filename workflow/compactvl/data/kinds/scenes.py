"""Composed scenes of emoji artwork with generated captions (:mod:`compactvl.data.scenes`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref
from compactvl.data.kind import Count, DataKind
from compactvl.data.ratios import Fraction


class SplitSizes(Strict):
    """Number of images a split."""

    train: Count = Field(4000, description="Training images.")
    val: Count = Field(500, description="Validation images: for choices made while developing.")
    test: Count = Field(500, description="Test images: the gallery results are reported on.")


class Settings(DataKind):
    """Composed scenes of emoji artwork with generated captions."""

    holds = frozenset({"images", "captions", "captioned_images"})

    kind: Literal["scenes"] = Field(description="Composed scenes.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    styles: Annotated[tuple[str, ...], Ref("sources")] = Field(
        ("noto", "twemoji", "fluent", "openmoji"),
        min_length=1,
        description="Names of the artwork sources (art styles).",
    )
    names: Annotated[str, Ref("sources")] = Field(
        "emojibase", description="Name of the source of emoji names and groups."
    )
    concepts: int = Field(60, ge=4, description="Number of kinds of object, taken from the front of the noun list.")
    image_size: int = Field(112, ge=56, le=1024, description="Height and width of an image in pixels.")
    images: SplitSizes = Field(default_factory=SplitSizes, description="Images a split.")
    max_objects: int = Field(5, ge=2, le=6, description="Most objects in one scene.")
    kinds_weights: tuple[float, float, float] = Field(
        (0.06, 0.5, 0.44), description="Relative frequency of scenes with one, two and three kinds of object."
    )
    sized: Fraction = Field(0.4, description="Share of the scenes whose objects are big or small.")
    related: Fraction = Field(
        0.8, description="Share of the scenes of two or three kinds that have a spatial relation."
    )
    tinted: Fraction = Field(0.5, description="Share of the scenes with a tinted instead of a white background.")
    captions: int = Field(5, ge=1, le=8, description="Different captions an image.")
    held_out_pairs: Fraction = Field(
        0.1, description="Share of the pairs of concepts that never meet in a training scene."
    )
    twin_fraction: float = Field(
        0.1,
        ge=0.0,
        le=0.2,
        description="Share of a split's scenes that have a twin in it: the same words, exchanged (0.2 at most).",
    )

    @model_validator(mode="after")
    def _weights(self) -> "Settings":
        if min(self.kinds_weights) < 0 or sum(self.kinds_weights) <= 0:
            raise ValueError("kinds_weights must be three numbers >= 0, not all 0")
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles has the same source twice")
        return self
