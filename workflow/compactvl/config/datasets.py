"""Settings of the data sets: one model a kind, told apart by ``kind``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.ratios import SplitRatios
from compactvl.config.scene_datasets import SceneEwokSettings, SceneProbeSettings, SceneVqaSettings
from compactvl.config.text_datasets import (
    BabylmCaptionsSettings,
    BabylmWinogroundSettings,
    BlimpSettings,
    BrownPairsSettings,
    BrownSettings,
    EwokSettings,
    TextLinesSettings,
    VqaSettings,
)

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Count = Annotated[int, Field(ge=1)]


class SplitSizes(Strict):
    """Number of images a split."""

    train: Count = Field(4000, description="Training images.")
    val: Count = Field(500, description="Validation images: for choices made while developing.")
    test: Count = Field(500, description="Test images: the gallery results are reported on.")


class ScenesSettings(Strict):
    """Composed scenes of emoji artwork with generated captions."""

    kind: Literal["scenes"] = Field(description="Composed scenes.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    styles: tuple[str, ...] = Field(
        ("noto", "twemoji", "fluent", "openmoji"),
        min_length=1,
        description="Names of the artwork sources (art styles).",
    )
    names: str = Field("emojibase", description="Name of the source of emoji names and groups.")
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
    def _weights(self) -> "ScenesSettings":
        if min(self.kinds_weights) < 0 or sum(self.kinds_weights) <= 0:
            raise ValueError("kinds_weights must be three numbers >= 0, not all 0")
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles has the same source twice")
        return self


class NamesSettings(Strict):
    """Single emoji against their names and tags; the test split is in an art style never trained on."""

    kind: Literal["names"] = Field(description="Single emoji and their names.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    styles: tuple[str, ...] = Field(
        ("noto", "twemoji", "fluent", "openmoji"),
        min_length=2,
        description="Names of the artwork sources (art styles).",
    )
    test_style: str = Field("openmoji", description="The art style of the test split; the others train.")
    val_style: str = Field("fluent", description="The training style that a part of the concepts gives to validation.")
    val_fraction: Fraction = Field(
        0.25, description="Share of the concepts whose image in val_style is for validation."
    )
    names: str = Field("emojibase", description="Name of the source of emoji names, tags and groups.")
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
    def _styles(self) -> "NamesSettings":
        for field in ("test_style", "val_style"):
            if getattr(self, field) not in self.styles:
                raise ValueError(f"{field} {getattr(self, field)!r} is not one of styles: {', '.join(self.styles)}")
        if self.test_style == self.val_style:
            raise ValueError("test_style and val_style must differ")
        if len(set(self.styles)) != len(self.styles):
            raise ValueError("styles has the same source twice")
        return self


class SwapsSettings(Strict):
    """Pairs of scenes and captions of the same words, in Winoground's form."""

    kind: Literal["swaps"] = Field(description="Minimal pairs of scenes.")
    seed: int = Field(0, ge=0, description="Seed of everything that is drawn.")
    scenes: str = Field("scenes", description="Name of the scenes data set whose concepts and look are used.")
    pairs: int = Field(200, ge=4, description="Number of pairs, shared equally among the kinds.")
    kinds: tuple[Literal["left_right", "above_below", "count", "size"], ...] = Field(
        ("left_right", "above_below", "count", "size"), min_length=1, description="What is exchanged."
    )


class FolderSettings(Strict):
    """A folder of one's own images with captions."""

    kind: Literal["folder"] = Field(description="Own images with captions.")
    path: str = Field(min_length=1, description="Folder of the images, of any format Pillow reads.")
    captions: str | None = Field(
        None, description="CSV file (UTF-8) with columns image, caption and perhaps split; relative to path."
    )
    karpathy: str | None = Field(None, description="Karpathy-style JSON file instead of a CSV file; relative to path.")
    ratios: SplitRatios = Field(default_factory=SplitRatios, description="Split shares where the file gives no split.")
    seed: int = Field(0, ge=0, description="Seed of the split by image name.")
    splits: tuple[Literal["train", "val", "test"], ...] = Field(
        ("train", "val", "test"), description="Splits that must not be empty; () allows any."
    )
    max_side: int | None = Field(
        None, ge=32, description="Longer side in pixels to shrink larger images to; null keeps them."
    )
    jpeg_quality: int = Field(95, ge=50, le=100, description="Quality of re-encoded photographs.")

    @model_validator(mode="after")
    def _one_file(self) -> "FolderSettings":
        if (self.captions is None) == (self.karpathy is None):
            raise ValueError("give exactly one of captions (a CSV file) and karpathy (a JSON file)")
        return self


class KarpathySettings(Strict):
    """Flickr30k or COCO with Karpathy's split file, as their owners distribute them."""

    kind: Literal["karpathy"] = Field(description="Flickr30k or COCO, Karpathy split.")
    images: str = Field(
        min_length=1, description="Folder of the images; filepath of the JSON file is looked up below it."
    )
    annotations: str = Field(min_length=1, description="Karpathy's dataset_<name>.json.")
    how_to_get: str = Field(min_length=1, description="Where the files come from; shown when one is missing.")
    max_side: int | None = Field(
        None, ge=32, description="Longer side in pixels to shrink larger images to; null keeps them."
    )
    jpeg_quality: int = Field(95, ge=50, le=100, description="Quality of re-encoded photographs.")


CAPTIONED = ("scenes", "names", "folder", "karpathy")
"""Kinds whose items are images with captions."""
WITH_IMAGES = (*CAPTIONED, "swaps")
"""Kinds that hold images."""
DatasetSettings = Annotated[
    ScenesSettings
    | NamesSettings
    | SwapsSettings
    | SceneEwokSettings
    | SceneVqaSettings
    | SceneProbeSettings
    | BrownSettings
    | BrownPairsSettings
    | TextLinesSettings
    | BlimpSettings
    | EwokSettings
    | VqaSettings
    | BabylmWinogroundSettings
    | BabylmCaptionsSettings
    | FolderSettings
    | KarpathySettings,
    Field(discriminator="kind"),
]
