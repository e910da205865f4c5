"""Vision towers of transformers models (SigLIP, SigLIP2 of fixed size, CLIP, DINOv2) as encoders."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from compactvl.errors import UserError, first_line
from compactvl.vision.preprocessing import Preprocessing
from compactvl.vision.weights import check_fit

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8))
"""What a processor and this package both prepare, to see that they do the same."""
FOLLOWED = dict.fromkeys(("do_convert_rgb", "do_resize", "do_rescale", "do_normalize"), True) | {
    "rescale_factor": 1 / 255,
    "image_mean": None,
    "image_std": None,
}
"""Settings of a processor that need no mention if they have this value; ``None``: any."""
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
        The model and all its image processor's settings, the class's own included.

    Raises:
        UserError: cannot be found, is of another family, or its weights do not fit tensor by tensor.
    """
    import transformers
    from transformers.utils import cached_file

    try:
        config = transformers.AutoConfig.from_pretrained(name, revision=revision, trust_remote_code=False)
        if config.model_type not in TOWERS:
            raise UserError(f"{name} is a {config.model_type!r} model; supported: {', '.join(sorted(TOWERS))}")
        tower = TOWERS[config.model_type]
        vision = getattr(config, "vision_config", config)
        if not getattr(vision, "vision_use_head", True):
            raise UserError(f"{name} has no head that pools its patches (vision_use_head false); choose another model")
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
        processor = transformers.AutoImageProcessor.from_pretrained(
            name, revision=revision, trust_remote_code=False, backend="pil"
        )
        quantised = _integers(Path(cached_file(name, "config.json", revision=revision)).parent, tower)
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
    shapes = sorted(str(key) for key in loading.get("mismatched_keys", ()))
    wrong = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "quantised": quantised}
    check_fit(f"{name}: weights do not fit {tower.model_class}", wrong, "choose another model")
    return TransformersTokens(model, tower), processor.to_dict()


def _integers(folder: Path, tower: Tower) -> list[str]:
    """Return the weights stored as integers, which transformers takes as they are, without what scales them."""
    found = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            kinds = {key: file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
        found += [key for key, kind in kinds.items() if not kind.startswith(("F", "BF"))]
    return [key for key in found if not key.startswith(tower.left_over) and not key.endswith("position_ids")]


def preprocessing_choices(processing: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Translate an image processor's settings to those of :class:`~compactvl.vision.preprocessing.Preprocessing`.

    Args:
        processing: as in ``preprocessor_config.json``; what is not there is as the class has it.
        where: the model, for messages.

    Returns:
        ``image_size``, ``resize``, ``crop_fraction``, ``halves``, ``interpolation``, ``mean``, ``std``.

    Raises:
        UserError: the processor does more or other than this package can; a picture is prepared both ways to see it.
    """
    import transformers

    choices = None
    try:
        kind = processing.get("image_processor_type", "ViTImageProcessor").removesuffix("Fast").removesuffix("Pil")
        processor = getattr(transformers, f"{kind}Pil")(**processing)
        theirs = np.asarray(processor(PICTURE, return_tensors="np")["pixel_values"][0])
        centre = bool(getattr(processor, "do_center_crop", False))
        size, crop = (dict(getattr(processor, key, None) or {}) for key in ("size", "crop_size"))
        side, shortest = (crop if centre else size).get("height"), size.get("shortest_edge")
        squash = size == {"height": side, "width": side}
        fits = squash or (centre and list(size) == ["shortest_edge"] and shortest >= side)
        if fits and processor.resample in RESAMPLING:
            fraction = 1.0 if squash else side / shortest
            if not squash and int(side / fraction) < shortest:  # where the quotient falls just short of it
                fraction = math.nextafter(fraction, 0)
            mean, std = (np.broadcast_to(getattr(processor, f"image_{key}"), 3).tolist() for key in ("mean", "std"))
            choices = {
                "image_size": side,
                "resize": "squash" if squash else "crop",
                "crop_fraction": fraction,
                "halves": "down",
                "interpolation": RESAMPLING[processor.resample],
                "mean": tuple(mean),
                "std": tuple(std),
            }
            ours = ((np.asarray(Preprocessing(**choices).fit(PICTURE)) / 255 - mean) / std).transpose(2, 0, 1)
            if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=1e-4, atol=1e-4):
                choices = None
    except Exception as error:  # whatever settings that contradict each other provoke in the processor's code
        raise UserError(
            f"{where}: its image processor fails ({first_line(error)}); correct its preprocessor_config.json"
        ) from error
    if choices is None:
        settings = {
            key: value for key, value in processor.to_dict().items() if FOLLOWED.get(key, ...) not in (value, None)
        }
        raise UserError(
            f"{where}: its preprocessor_config.json asks for what is not supported "
            f"({', '.join(f'{key} {value}' for key, value in settings.items())}); images must be resized to a square, scaled "
            "to 0..1 and normalised; choose another model"
        )
    return choices
