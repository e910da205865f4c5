"""What loaders of encoders share."""

from typing import Any

from torch import nn

from compactvl.config.encoders import EncoderCommon
from compactvl.errors import UserError
from compactvl.vision.preprocessing import Preprocessing

Loaded = tuple[nn.Module, Preprocessing, dict[str, Any]]
"""Module from normalised pixels to (tokens, pooled); preprocessing; what identifies the model."""


def chosen_preprocessing(settings: EncoderCommon, choices: dict[str, Any]) -> Preprocessing:
    """Return a model's own preprocessing (``choices``), with what the settings say in its place."""
    chosen = {key: getattr(settings, key) for key in ("image_size", "resize") if getattr(settings, key) is not None}
    return Preprocessing(**{**choices, **chosen})


def check_own_size(settings: EncoderCommon, own: int) -> None:
    """Raise UserError if the settings ask for another size than a model can take."""
    if settings.image_size not in (None, own):
        raise UserError(
            f"{settings.model} takes images of {own} pixels, not {settings.image_size}; leave image_size out"
        )
