"""Vision towers of transformers models (SigLIP, SigLIP2 of fixed size, CLIP, DINOv2) as encoders."""

import pickle
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from compactvl.errors import UserError

RESAMPLING = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True)
class Tower:
    """What differs between the supported families.

    Attributes:
        model_class: class of transformers that is the image side alone.
        pooled: name of its output that stands for the whole image.
        prefix: tokens before the patches (class token).
        left_over: prefixes of checkpoint tensors that belong to the text side or to buffers: the only ones unused.
    """

    model_class: str
    pooled: str
    prefix: int
    left_over: tuple[str, ...]


_TEXT = ("text_model.", "logit_scale", "logit_bias", "text_projection.")
TOWERS = {
    "siglip": Tower("SiglipVisionModel", "pooler_output", 0, _TEXT),
    "siglip_vision_model": Tower("SiglipVisionModel", "pooler_output", 0, _TEXT),
    "clip": Tower("CLIPVisionModelWithProjection", "image_embeds", 1, _TEXT),
    "clip_vision_model": Tower("CLIPVisionModelWithProjection", "image_embeds", 1, _TEXT),
    "dinov2": Tower("Dinov2Model", "pooler_output", 1, ("classifier.",)),
}


class TransformersTokens(nn.Module):
    """Patch tokens of the last hidden state, and the family's own image vector."""

    def __init__(self, model: nn.Module, tower: Tower) -> None:
        super().__init__()
        self.model, self.tower = model, tower

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (B, 3, S, S) → tokens (B, T, D), pooled (B, P)."""
        output = self.model(pixel_values=pixels)
        return output.last_hidden_state[:, self.tower.prefix :], getattr(output, self.tower.pooled)


def build_transformers(name: str, revision: str | None, attention: str) -> tuple[TransformersTokens, dict[str, Any]]:
    """Load a model's image side strictly.

    Args:
        name: Hub name or folder written by ``save_pretrained``.
        revision: commit of the Hub repository.
        attention: ``eager`` or ``sdpa``.

    Returns:
        The model and its image processor's settings.

    Raises:
        UserError: cannot be found, is of another family, or its weights do not fit tensor by tensor.
    """
    import transformers
    from transformers.image_processing_base import ImageProcessingMixin

    try:
        config = transformers.AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
        if config.model_type not in TOWERS:
            raise UserError(f"{name} is a {config.model_type!r} model; supported: {', '.join(sorted(TOWERS))}")
        tower = TOWERS[config.model_type]
        vision = getattr(config, "vision_config", config)
        if hasattr(config, "projection_dim"):  # CLIP's own number, which its vision part may not repeat
            vision.projection_dim = config.projection_dim
        model, loading = getattr(transformers, tower.model_class).from_pretrained(
            name,
            config=vision,
            revision=revision,
            output_loading_info=True,
            attn_implementation=attention,
            dtype=torch.float32,
        )
        processing, _ = ImageProcessingMixin.get_image_processor_dict(name, revision=revision)
    except UserError:
        raise
    except Exception as error:  # transformers, safetensors, pickle and the Hub's client raise errors of many types
        raise UserError(
            f"cannot load {name} ({first_line(error)}); on a machine with network run "
            f"`hf download {name}`, or copy the model's folder (config.json, model.safetensors, "
            "preprocessor_config.json) here and give its path as `model`"
        ) from error
    missing = sorted(loading["missing_keys"])
    unexpected = sorted(key for key in loading["unexpected_keys"] if not key.startswith(tower.left_over))
    wrong = sorted(str(key) for key in loading.get("mismatched_keys", ()))
    if missing or unexpected or wrong:
        parts = (("missing", missing), ("unexpected", unexpected), ("of another shape", wrong))
        text = "; ".join(f"{len(keys)} tensors {what} ({', '.join(keys[:3])})" for what, keys in parts if keys)
        raise UserError(f"{name}: weights do not fit {tower.model_class}: {text}")
    return TransformersTokens(model, tower), processing


def preprocessing_choices(processing: dict[str, Any], where: str) -> dict[str, Any]:
    """Translate an image processor's settings to those of :class:`~compactvl.vision.preprocessing.Preprocessing`.

    Returns:
        ``image_size``, ``resize``, ``crop_fraction``, ``interpolation``, ``mean``, ``std``.

    Raises:
        UserError: a processor this package cannot follow exactly.
    """
    size, crop = processing.get("size"), processing.get("crop_size")
    size = {"shortest_edge": size} if isinstance(size, int) else dict(size or {})
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else dict(crop or {})
    shortest, resample = size.get("shortest_edge"), processing.get("resample", 3)
    centre = bool(processing.get("do_center_crop", False)) and bool(crop)
    height, width = ((crop if centre else size).get(edge, shortest) for edge in ("height", "width"))
    switches = ("do_resize", "do_rescale", "do_normalize")
    strange = [f"{name} {processing[name]}" for name in switches if not processing.get(name, True)]
    if abs((processing.get("rescale_factor") or 1 / 255) * 255 - 1) > 1e-6:
        strange.append(f"rescale_factor {processing['rescale_factor']}")
    if resample not in RESAMPLING:
        strange.append(f"resample {resample}")
    if not {"image_mean", "image_std"} <= processing.keys():
        strange.append("no image_mean or image_std")
    if height is None or height != width or (centre and (shortest is None or shortest < height)):
        strange.append(f"size {size or None}, crop_size {crop if centre else None}")
    if strange:
        raise UserError(
            f"{where}: its preprocessor_config.json asks for what is not supported: {', '.join(strange)}; "
            "images must be resized to a square, scaled to 0..1 and normalised; choose another model"
        )
    return {
        "image_size": height,
        "resize": "crop" if shortest is not None else "squash",
        "crop_fraction": height / shortest if centre else 1.0,
        "interpolation": RESAMPLING[resample],
        "mean": tuple(processing["image_mean"]),
        "std": tuple(processing["image_std"]),
    }


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, at most 160 characters."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are a pickle of more than tensors, which is never run"
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
