"""Settings of images for models that are trained on pixels: size, augmentation, threads."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from compactvl.config.base import Strict
from compactvl.config.encoders import ResizeMode

Probability = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, le=8192)]
Triple = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]


class Fit(Strict):
    """What every way of fitting an image has."""

    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = Field(
        "bicubic", description="Pillow's filter."
    )
    mean: Triple = Field((0.5, 0.5, 0.5), description="Subtracted after scaling to 0..1, one a channel (RGB).")
    std: tuple[Positive, Positive, Positive] = Field((0.5, 0.5, 0.5), description="Divided by after that.")


class SquareFit(Fit):
    """Every image becomes a square."""

    shape: Literal["square"]
    image_size: Side = Field(description="Side of the square in pixels.")
    resize: ResizeMode = Field(
        "crop",
        description="crop: shortest side to image_size, then the centre; squash: both sides to image_size; "
        "pad: longest side to image_size, the rest white. A random crop is squashed.",
    )


class AspectFit(Fit):
    """Images keep their proportions, as ViLT's do; a batch is padded to its largest."""

    shape: Literal["aspect"]
    shorter: Side = Field(384, description="The shorter side in pixels, unless the longer one were too long.")
    longer: Side = Field(640, description="The most the longer side may have (ViLT 640, DiDE 639).")
    multiple: Side = Field(32, description="Both sides are cut to a multiple of this, the side of a patch.")

    @model_validator(mode="after")
    def _some_patch(self) -> "AspectFit":
        if not self.multiple <= self.shorter <= self.longer:
            raise ValueError(f"must be multiple {self.multiple} <= shorter {self.shorter} <= longer {self.longer}")
        return self


class RandomCrop(Strict):
    """A random part of the image, as torchvision's RandomResizedCrop draws it."""

    area: tuple[Probability, Probability] = Field(
        (0.08, 1.0), description="Least and largest share of the image's area."
    )
    ratio: tuple[Positive, Positive] = Field((0.75, 4 / 3), description="Least and largest width over height.")

    @model_validator(mode="after")
    def _in_order(self) -> "RandomCrop":
        for name in ("area", "ratio"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} [{low}, {high}] must be above 0 and in order")
        return self


class RandAugment(Strict):
    """RandAugment (Cubuk et al. 2020) with the 14 operations of ViLT and DiDE."""

    operations: int = Field(2, ge=1, le=14, description="Operations an image, drawn with replacement.")
    magnitude: float = Field(9, ge=0, le=30, description="Their strength: a share of 30 of each one's range.")


class Augmentation(Strict):
    """What is changed at random in a training image; the order is crop, flip, operations, and resizing last."""

    crop: RandomCrop | None = Field(None, description="A random part instead of the whole.")
    flip: Probability = Field(
        0.0, description="Probability of a mirror image: left and right of a caption change sides."
    )
    operations: RandAugment | None = Field(None, description="RandAugment.")


class PixelSettings(Strict):
    """Images as a model that is trained on pixels is given them."""

    fit: Annotated[SquareFit | AspectFit, Field(discriminator="shape")] = Field(description="Size and proportions.")
    augment: Augmentation = Field(Augmentation(), description="Random changes in training.")
    decode_threads: int = Field(1, ge=1, le=64, description="Threads that prepare images beside the model.")
