"""Weights and resume state on disk: atomic, hashed, and read without executing code."""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from compactvl.errors import UserError
from compactvl.files import atomic_path

MODEL = "model.safetensors"
RESUME = "resume.pt"


def save_model(model: nn.Module, folder: str | Path) -> Path:
    """Write a module's state as ``model.safetensors``; tied weights are stored once."""
    path = Path(folder) / MODEL
    state = {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary)
    return path


def read_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Raises:
        UserError: missing or corrupt; the message names the file.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: train that variant first")
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError
        raise UserError(
            f"{path} is not a readable safetensors file ({error}); delete its run folder and train again"
        ) from error


def load_model(model: nn.Module, folder: str | Path) -> None:
    """Load ``model.safetensors`` of a run into ``model``, strictly.

    Raises:
        UserError: the file is unreadable, or its weights are not this model's.
    """
    path = Path(folder) / MODEL
    try:
        model.load_state_dict(read_state(path), strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"{path} does not fit this model: {first}") from error


def save_resume(path: Path, state: dict[str, Any]) -> None:
    """Write resume state atomically."""
    with atomic_path(path) as temporary:
        torch.save(state, temporary)


def read_resume(path: Path, digest: str) -> dict[str, Any] | None:
    """Read resume state, or return ``None`` when there is none for these settings or it cannot be read."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception:
        return None
    return state if state.get("digest") == digest else None


def discard_resume(scratch: Path) -> None:
    """Remove a training job's resume state: its run is finished."""
    shutil.rmtree(scratch, ignore_errors=True)
