"""What timm knows of a model's published weights, and the one file they are read from."""

import difflib
import io
from pathlib import Path

import torch
from huggingface_hub import hf_hub_download
from safetensors.torch import load_file

from compactvl.config.encoders import TimmWeights
from compactvl.errors import UserError, first_line
from compactvl.files import sha256_file
from compactvl.vision.uncompiled_timm import timm
from compactvl.vision.weights import check_pin


def known(name: str) -> timm.models.PretrainedCfg | None:
    """Return what timm has written down of a model's weights; ``None``: nothing.

    Args:
        name: timm model name, with or without the tag of its weights.

    Raises:
        UserError: timm has no such model, or no such weights of it.
    """
    model, _, tag = name.partition(".")
    if not timm.is_model(model):
        near = difflib.get_close_matches(model, timm.list_models(), n=3)
        told = f"near: {', '.join(near)}" if near else "timm.list_models() gives all names"
        raise UserError(f"timm has no model {name!r}; {told}")
    try:
        return timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        near = difflib.get_close_matches(name, timm.list_pretrained(f"{model}.*"), n=3, cutoff=0)
        told = f"near: {', '.join(near)}" if near else f"it has none: write {model}"
        raise UserError(f"timm has no weights {tag!r} of {model}; {told}") from error


def read_pretrained(settings: TimmWeights) -> tuple[dict[str, torch.Tensor], str, str]:
    """Read a model's weights from the file the settings name, or else timm's from the Hub.

    Returns:
        State dictionary, SHA-256 of the file, its path.

    Raises:
        UserError: unknown model, one of another activation than its weights', or weights that are missing, damaged, not
            the pinned ones, more than tensors by name, or without a network to get them.
    """
    config, name = known(settings.model), settings.model
    if any("QuickGELU" in note for note in (config and config.notes) or ()) and "quickgelu" not in name:
        better = name.replace("_clip_", "_clip_quickgelu_")
        raise UserError(
            f"timm builds {name} with GELU, its weights were trained with QuickGELU; set `model` to {better}"
        )
    path = Path(settings.checkpoint) if settings.checkpoint else _download(name, settings.revision, config)
    if not path.is_file():
        raise UserError(f"{path} is missing; copy the weights of {name} there or correct `checkpoint`")
    digest = sha256_file(path)
    check_pin(settings.sha256, digest, str(path))
    try:
        if path.suffix == ".safetensors":
            return load_file(path), digest, str(path)
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
        items = list(state.get("state_dict", state).items())
    except Exception as error:  # whatever a damaged file provokes in safetensors or pickle, or another object in it
        raise UserError(f"{path} is no readable checkpoint ({type(error).__name__}); fetch it again") from error
    if strange := [key for key, value in items if not isinstance(key, str) or not isinstance(value, torch.Tensor)]:
        raise UserError(
            f"{path} holds more than tensors (e.g. {strange[0]!r}); save the model's state dictionary alone"
        )
    return dict(items), digest, str(path)


def _download(name: str, revision: str | None, config: timm.models.PretrainedCfg | None) -> Path:
    if config is None or not config.hf_hub_id:
        raise UserError(f"timm has no weights for {name} on the Hub; give the file as `checkpoint`")
    repository = config.hf_hub_id if config.hf_hub_id != "timm/" else f"timm/{name}"
    try:
        return Path(hf_hub_download(repository, "model.safetensors", revision=revision))
    except Exception as error:  # the Hub client raises HTTP, connection and cache errors alike
        raise UserError(
            f"cannot download {repository} ({first_line(error)}); get its model.safetensors on a machine with network "
            "and give the file as `checkpoint`"
        ) from error
