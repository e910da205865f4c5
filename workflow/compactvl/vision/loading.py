"""What loaders of encoders share."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compactvl.config.encoders import EncoderCommon, PackagedEncoder
from compactvl.errors import UserError, first_line
from compactvl.vision.preprocessing import Preprocessing
from compactvl.vision.weights import read_weights

Loaded = tuple[nn.Module, Preprocessing, dict[str, Any]]
"""Module from normalised pixels to (tokens, pooled); preprocessing; what identifies the model."""


def chosen_preprocessing(settings: EncoderCommon, choices: dict[str, Any]) -> Preprocessing:
    """Return a model's own preprocessing (``choices``), with what the settings say in its place."""
    keys = ("image_size", "resize", "interpolation", "mean", "std")
    chosen = {key: value for key in keys if (value := getattr(settings, key, None)) is not None}
    return Preprocessing(**{**choices, **chosen})


def check_own_size(settings: EncoderCommon, own: int) -> None:
    """Raise UserError if the settings ask for another size than a model can take."""
    if settings.image_size not in (None, own):
        raise UserError(
            f"{settings.model} takes images of {own} pixels, not {settings.image_size}; leave image_size out"
        )


def try_size(
    model: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]], side: int, name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a model gives for one black image (1, 3, side, side).

    Args:
        name: the model's, for the message.

    Raises:
        UserError: it cannot take images of this size.
    """
    try:
        return model(torch.zeros(1, 3, side, side))
    except (AssertionError, IndexError, RuntimeError, ValueError) as error:
        why = first_line(error)
        raise UserError(f"{name} cannot take images of {side} pixels ({why}); choose another size") from error


def packaged_weights(
    settings: PackagedEncoder, weights_path: str | Path | None, models: Collection[str]
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read the converted weights of a packaged encoder.

    Args:
        models: architectures, one of which they must be of.

    Returns:
        State dictionary, and what identifies the model.

    Raises:
        UserError: no weights, damaged ones, or those of another model.
    """
    if weights_path is None:
        raise UserError(f"encoder with loader {settings.loader} needs converted weights; name them as `weights`")
    state, record = read_weights(weights_path)
    if record["model"] not in models:
        needed = " or ".join(sorted(models))
        raise UserError(
            f"{weights_path} holds {record['model']}, loader {settings.loader} needs {needed}; set `weights`"
        )
    facts = {
        "model": record["model"],
        "weights_sha256": record["files"][Path(weights_path).name],
        "remark": record["remark"],
    }
    return state, facts
