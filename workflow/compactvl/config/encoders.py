"""Settings of pretrained weights and of the encoders that turn images into cached vision tokens."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from compactvl.config.base import Strict
from compactvl.config.references import Ref

WeightsFormat = Literal["minilm", "dinov2_onnx", "efficientnet_lite", "craft"]
Storage = Literal["fp16", "int8", "fp8"]
ResizeMode = Literal["crop", "squash", "pad"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
DINOV2_PATCH = 14
"""Side in pixels of a patch of DINOv2 ViT-S/14."""


class WeightsSettings(Strict):
    """Pretrained weights taken out of one source archive and converted to safetensors."""

    source: Annotated[str, Ref("sources")] = Field(
        description="Name of the source (section `sources`) whose archive holds the weights."
    )
    format: WeightsFormat = Field(description="How the weights lie in the archive.")


LAYERS = {"dinov2_s": (None,), "efficientnet_lite": (None, "blocks"), "craft": (None, "slice3", "u2")}
"""Loader of a packaged encoder → what its `layer` may be."""


class EncoderCommon(Strict):
    """What every encoder has, whatever loads it."""

    image_size: int | None = Field(
        None, ge=14, le=2048, description="Side of the square input in pixels; null takes the model's own."
    )
    resize: ResizeMode | None = Field(
        None,
        description="crop: shortest side to image_size, then the centre; squash: both sides to image_size; "
        "pad: longest side to image_size, the rest white. null takes the model's own.",
    )
    grid: int | None = Field(
        None,
        ge=1,
        le=64,
        description="Average the tokens to so many rows and columns before they are stored; null: all.",
    )
    storage: Storage = Field("fp16", description="Number format of stored tokens; int8 and fp8 have a scale a token.")
    batch_size: int = Field(32, ge=1, le=4096, description="Images a batch; the last one may be smaller.")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="Arithmetic of the model (bf16 is autocast).")
    threads: int = Field(2, ge=1, le=256, description="Threads of the model's operators on a CPU.")
    decode_threads: int = Field(1, ge=1, le=64, description="Threads that decode and resize images beside the model.")
    shard_megabytes: int = Field(
        512, ge=1, le=4096, description="Size at which a token shard is closed, in 10^6 bytes of tokens."
    )


class PackagedEncoder(EncoderCommon):
    """An encoder whose weights come out of a pinned package (section `weights`)."""

    loader: Literal["dinov2_s", "efficientnet_lite", "craft"]
    weights: Annotated[str, Ref("weights")] = Field(description="Name of the converted weights (section `weights`).")
    layer: Literal["blocks", "slice3", "u2"] | None = Field(
        None,
        description="What its tokens are, other than the last features: `blocks`, an EfficientNet's before its head; of CRAFT "
        "`slice3`, the last of VGG's of stride 8 (the default), or `u2`, the decoder's there.",
    )

    @model_validator(mode="after")
    def _whole_patches(self) -> "PackagedEncoder":
        if self.loader == "dinov2_s" and (self.image_size or 0) % DINOV2_PATCH:
            raise ValueError(f"image_size {self.image_size} must be a multiple of {DINOV2_PATCH}, DINOv2's patch size")
        if self.layer not in LAYERS[self.loader]:
            known = ", ".join(filter(None, LAYERS[self.loader])) or "none"
            raise ValueError(f"loader {self.loader} has no layer {self.layer!r}; it has: {known}")
        return self


class TimmWeights(Strict):
    """A timm model by name, and where its weights are."""

    model: str = Field(description="timm name, e.g. vit_base_patch16_siglip_224.v2_webli.")
    checkpoint: str | None = Field(
        None, min_length=1, description="File with the model's weights; null takes timm's from the Hub."
    )
    revision: str | None = Field(None, description="Commit of the Hub repository the weights are pinned to.")
    sha256: Sha256 | None = Field(None, description="SHA-256 the weights' file must have.")


class TimmEncoder(TimmWeights, EncoderCommon):
    """Any timm model by name."""

    loader: Literal["timm"]


class RandomEncoder(EncoderCommon):
    """A timm model that was never trained: a control, which has its architecture's features and no knowledge."""

    loader: Literal["random"]
    model: str = Field(description="timm name, e.g. vit_tiny_patch16_224.")
    seed: int = Field(0, ge=0, description="Seed of its weights.")


class Tower(TimmWeights):
    """A timm model that is trained inside a larger one."""

    image_size: int | None = Field(None, ge=14, le=2048, description="Side of the square input; null: the model's own.")
    pretrained: bool = Field(False, description="Whether it starts from trained weights; else from random ones.")
    weights: Annotated[str | None, Ref("weights")] = Field(
        None, description="Name of converted weights to start from, in place of a file or the Hub's."
    )
    stage: int | None = Field(
        None,
        ge=0,
        description="Which feature map it ends with, as timm counts them from 0; null: the last, with what follows.",
    )
    options: dict[str, Any] = Field({}, description="Further arguments of the timm model, e.g. depth and embed_dim.")

    @model_validator(mode="after")
    def _one_start(self) -> "Tower":
        given = [name for name in ("weights", "checkpoint", "revision", "sha256") if getattr(self, name) is not None]
        if given and not self.pretrained:
            raise ValueError(f"{given[0]} is given, but pretrained is false; leave one of them out")
        if "weights" in given and len(given) > 1:
            raise ValueError(f"weights and {given[1]} are both given; leave one of them out")
        return self


class TransformersEncoder(EncoderCommon):
    """The vision tower of a SigLIP, SigLIP2 (fixed size), CLIP or DINOv2 model of transformers."""

    loader: Literal["transformers"]
    model: str = Field(
        min_length=1, description="Hub name, e.g. google/siglip2-base-patch16-224, or a folder of save_pretrained."
    )
    revision: str | None = Field(None, description="Commit of the Hub repository the weights are pinned to.")
    sha256: Sha256 | None = Field(None, description="Digest of the loaded weights (see the token manifest).")


class OpenClipEncoder(EncoderCommon):
    """The vision tower of an open_clip model; needs the extra `open_clip`."""

    loader: Literal["open_clip"]
    model: str = Field(description="open_clip architecture, e.g. ViT-B-16.")
    checkpoint: str = Field(min_length=1, description="open_clip pretrained tag, or a file with the weights.")
    quick_gelu: bool | None = Field(
        None,
        description="Whether the weights of a file were trained with QuickGELU, as OpenAI's were and what is fine-tuned from "
        "them; null where a tag or the architecture's name says so.",
    )
    mean: tuple[float, float, float] | None = Field(
        None,
        description="Subtracted from pixels of 0..1, one a channel (RGB); null takes the tag's. A file needs this, std, "
        "interpolation and resize.",
    )
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = Field(
        None, description="Divided by after that, one a channel; null takes the tag's."
    )
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None = Field(
        None, description="Filter that resizes images; null takes the tag's."
    )
    sha256: Sha256 | None = Field(None, description="Digest of the loaded weights (see the token manifest).")


EncoderSettings = Annotated[
    PackagedEncoder | RandomEncoder | TimmEncoder | TransformersEncoder | OpenClipEncoder,
    Field(discriminator="loader"),
]
