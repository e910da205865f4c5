"""Encoders by loader: settings in, a frozen :class:`Encoder` out.

| loader | weights | tokens | pooled |
|---|---|---|---|
| dinov2_s | packaged DINOv2 ViT-S/14 (1) | patches after the last norm | class token |
| efficientnet_lite0/1/2 | packaged ImageNet weights | last feature map, flattened | its mean |
| timm | a file, or timm's from the Hub | patches, or the last feature map | timm's own pooling |
| transformers | a folder, or the Hub | patches of the last hidden state | pooler; CLIP: projected embedding |
| open_clip | a file, or a pretrained tag | patches | image embedding |

(1) Taken out of a third party's ONNX file, whose authors may have tuned it: numbers made with it are not DINOv2's own.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compactvl.config.encoders import (
    EncoderSettings,
    OpenClipEncoder,
    PackagedEncoder,
    TimmEncoder,
    TransformersEncoder,
)
from compactvl.errors import UserError
from compactvl.nn.compute import autocast, compute_device
from compactvl.vision.preprocessing import INTERPOLATIONS, Preprocessing
from compactvl.vision.weights import check_pin, read_weights, state_digest

Loaded = tuple[nn.Module, Preprocessing, dict[str, Any]]
PACKAGED_MODELS = {
    "dinov2_s": "vit_small_patch14_dinov2",
    "efficientnet_lite0": "tf_efficientnet_lite0",
    "efficientnet_lite1": "tf_efficientnet_lite1",
    "efficientnet_lite2": "tf_efficientnet_lite2",
}


class Encoder:
    """A frozen image model: uint8 pixels in, patch tokens and one pooled vector out.

    Args:
        model: module from normalised pixels (B, 3, S, S) to ``(tokens (B, T, D), pooled (B, P))``.
        preprocess: from image bytes to a uint8 array (3, S, S).
        precision: ``fp32``, or ``bf16`` (autocast: matrix products in bfloat16, residuals and norms in float32).
        facts: what identifies the model (model, loader, weights_sha256); preprocessing and precision are added.
        device: where the model runs.

    Attributes:
        tokens_shape: (T, D).
        pooled_dim: P.
        facts: everything that determines the tokens' values, JSON-serialisable.
    """

    def __init__(
        self, model: nn.Module, preprocess: Preprocessing, precision: str, facts: dict[str, Any], device: str
    ) -> None:
        self.device = torch.device(device)
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.preprocess = preprocess
        self.precision = precision
        self.facts = {**facts, "preprocessing": preprocess.facts(), "precision": precision}
        self._mean = torch.tensor(preprocess.mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocess.std, device=self.device).view(1, 3, 1, 1)
        side = preprocess.image_size
        tokens, pooled = self(torch.zeros(1, 3, side, side, dtype=torch.uint8))
        self.tokens_shape = (tokens.shape[1], tokens.shape[2])
        self.pooled_dim = pooled.shape[1]

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a batch.

        Args:
            batch: (B, 3, S, S), uint8 in 0..255 or floating point in 0..1, not normalised.

        Returns:
            Tokens (B, T, D) and pooled vectors (B, P), both float32 on the encoder's device.
        """
        pixels = torch.as_tensor(batch).to(self.device)
        pixels = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
        return self.forward_normalised((pixels - self._mean) / self._std)

    @torch.inference_mode()
    def forward_normalised(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the model on normalised float32 pixels (B, 3, S, S); outputs as in :meth:`__call__`."""
        with autocast(self.device, self.precision):
            tokens, pooled = self.model(pixels)
        return tokens.float(), pooled.float()


def load_encoder(
    settings: EncoderSettings, weights_path: str | Path | None = None, device: str | None = None
) -> Encoder:
    """Load an encoder.

    Args:
        settings: one entry of the configuration's ``encoders``.
        weights_path: converted weights (packaged loaders only).
        device: where the model runs; ``None`` takes the first GPU, else the CPU.

    Raises:
        UserError: weights missing, damaged, of another model, or a size the model cannot take.
    """
    device = device or compute_device().type
    # On CPUs the fused attention operator is slower than plain products in bfloat16.
    fused = device != "cpu" or settings.precision == "fp32"
    model, preprocessing, facts = LOADERS[settings.loader](settings, weights_path, fused)
    return Encoder(model, preprocessing, settings.precision, {"loader": settings.loader, **facts}, device)


def _packaged(settings: PackagedEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    if weights_path is None:
        raise UserError(f"encoder with loader {settings.loader} needs converted weights; name them as `weights`")
    state, record = read_weights(weights_path)
    name = PACKAGED_MODELS[settings.loader]
    if record["model"] != name:
        raise UserError(f"{weights_path} holds {record['model']}, loader {settings.loader} needs {name}; set `weights`")
    facts = {
        "model": name,
        "weights_sha256": record["files"][Path(weights_path).name],
        "remark": record["remark"],
    }
    return _timm_loaded(settings, state, name, facts, str(weights_path), fused, crop_fraction=1.0)


def _timm(settings: TimmEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    from compactvl.vision.timm_models import read_pretrained

    state, digest, where = read_pretrained(settings)
    facts = {"model": settings.model, "revision": settings.revision, "weights_sha256": digest}
    return _timm_loaded(settings, state, settings.model, facts, where, fused)


def _timm_loaded(
    settings: PackagedEncoder | TimmEncoder,
    state: Mapping[str, torch.Tensor],
    name: str,
    facts: dict[str, Any],
    where: str,
    fused: bool,
    crop_fraction: float | None = None,
) -> Loaded:
    from timm.data import resolve_model_data_config

    from compactvl.vision.timm_models import TimmTokens, load_timm, use_fused_attention

    model = TimmTokens(load_timm(name, state, settings.image_size, where))
    use_fused_attention(model, fused)
    data = resolve_model_data_config(model.model)
    choices = {
        "image_size": data["input_size"][-1],
        "resize": {"center": "crop", "squash": "squash", "border": "pad"}.get(data["crop_mode"], "crop"),
        "crop_fraction": data["crop_pct"] if crop_fraction is None else crop_fraction,
        "interpolation": data["interpolation"] if data["interpolation"] in INTERPOLATIONS else "bicubic",
        "mean": tuple(data["mean"]),
        "std": tuple(data["std"]),
    }
    return model, _preprocessing(settings, choices), facts


def _transformers(settings: TransformersEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    from compactvl.vision.transformers_models import build_transformers, preprocessing_choices

    model, processing = build_transformers(settings.model, settings.revision, "sdpa" if fused else "eager")
    choices = preprocessing_choices(processing, settings.model)
    _check_own_size(settings, choices["image_size"])
    digest = state_digest(model.state_dict())
    check_pin(settings.sha256, digest, settings.model)
    facts = {"model": Path(settings.model).name, "revision": settings.revision, "weights_sha256": digest}
    return model, _preprocessing(settings, choices), facts


def _open_clip(settings: OpenClipEncoder, weights_path: str | Path | None, fused: bool) -> Loaded:
    from compactvl.vision.open_clip_models import build_open_clip

    model, choices = build_open_clip(settings.model, settings.checkpoint, settings.quick_gelu)
    _check_own_size(settings, choices["image_size"])
    digest = state_digest(model.state_dict())
    check_pin(settings.sha256, digest, settings.model)
    facts = {"model": settings.model, "weights_sha256": digest, "quick_gelu": settings.quick_gelu}
    return model, _preprocessing(settings, choices), facts


LOADERS: dict[str, Callable[..., Loaded]] = {
    **dict.fromkeys(PACKAGED_MODELS, _packaged),
    "timm": _timm,
    "transformers": _transformers,
    "open_clip": _open_clip,
}


def _preprocessing(settings: EncoderSettings, choices: dict[str, Any]) -> Preprocessing:
    chosen = {key: getattr(settings, key) for key in ("image_size", "resize") if getattr(settings, key) is not None}
    return Preprocessing(**{**choices, **chosen})


def _check_own_size(settings: TransformersEncoder | OpenClipEncoder, own: int) -> None:
    if settings.image_size not in (None, own):
        raise UserError(
            f"{settings.model} takes images of {own} pixels, not {settings.image_size}; leave image_size out"
        )
