"""Single emoji against their names and tags (:mod:`compactvl.data.names`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compactvl.config.references import Ref
from compactvl.data.kind import DataKind
from compactvl.data.ratios import Fraction


class Settings(DataKind):
    """Single emoji against their names and tags; the test split is in an art style never trained on."""

    holds = frozenset({"images", "captions", "captioned_images"})

    kind: Literal["names"] = Field(description="Single emoji and their names.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    styles: Annotated[tuple[str, ...], Ref("sources")] = Field(
        ("noto", "twemoji", "fluent", "openmoji"),
        min_length=2,
        description="Names of the artwork sources (art styles).",
    )
    test_style: str = Field("openmoji", description="The art style of the test split; the others train.")
    val_style: str = Field("fluent", description="The training style that a part of the concepts gives to validation.")
    val_fraction: Fraction = Field(
        0.25, description="Share of the concepts whose image in val_style is for validation."
    )
    names: Annotated[str, Ref("sources")] = Field(
        "emojibase", description="Name of the source of emoji names, tags and groups."
    )
    languages: tuple[str, ...] = Field(
        ("de", "fr", "es", "ja"), description="Further languages; each gives a column caption_<language>."
    )
    concepts: int = Field(400, ge=8, description="Number of concepts.")
    tags: int = Field(
        3, ge=0, le=10, description="Most tag captions an image; a tag counts if only one concept has it."
    )
    renders: int = Field(3, ge=1, le=20, description="Renderings of a training image (place, size, background differ).")
    image_size: int = Field(112, ge=56, le=1024, description="Height and width of an image in pixels.")
    tinted: Fraction = Field(0.5, description="Share of the images with a tinted instead of a white background.")

    @model_validator(mode="after")
    def _styles(self) -> "Settings":
        for field in ("test_style", "val_style"):
            if getattr(self, field) not in self.styles:
                raise ValueError(f"{field} {getattr(self, field)!r} is not one of styles: {', '.join(self.styles)}")
        if self.test_style == self.val_style:
            raise ValueError("test_style and val_style must differ")
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles has the same source twice")
        return self
