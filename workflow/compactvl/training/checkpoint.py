"""Weights and resume state on disk: atomic, hashed, and read without executing code."""

import contextlib
import hashlib
import io
import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from compactvl.errors import UserError
from compactvl.files import atomic_path, sha256_file
from compactvl.records.intact import check_files

log = logging.getLogger(__name__)
MODEL = "model.safetensors"
RESUME = "resume.pt"
TRAILER = hashlib.sha256().digest_size


def save_model(model: nn.Module, folder: str | Path) -> Path:
    """Write a module's state as ``model.safetensors``; tied weights are stored once."""
    path = Path(folder) / MODEL
    state = {key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(state, temporary)
    return path


def read_state(folder: str | Path) -> dict[str, torch.Tensor]:
    """Read ``model.safetensors`` of a finished run.

    Raises:
        UserError: missing, unfinished, or not what the run's manifest says; the message names the file.
    """
    check_files(folder, MODEL)
    path = Path(folder) / MODEL
    try:
        return load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError
        raise UserError(
            f"{path} is not a readable safetensors file ({error}); delete its run folder and train again"
        ) from error


def load_model(model: nn.Module, folder: str | Path, state: dict[str, torch.Tensor] | None = None) -> None:
    """Load ``model.safetensors`` of a run into ``model``, strictly.

    Args:
        state: the file's content, where it was read already to learn the model's sizes.

    Raises:
        UserError: the file is missing or damaged, or its weights are not this model's.
    """
    path = Path(folder) / MODEL
    try:
        model.load_state_dict(read_state(folder) if state is None else state, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise UserError(f"{path} does not fit this model: {first}") from error


def save_resume(path: Path, state: dict[str, Any]) -> None:
    """Write resume state atomically, its SHA-256 behind it: torch does not check what it reads.

    Raises:
        UserError: the disk is full; the state before stays.
    """
    with atomic_path(path) as temporary:
        torch.save(state, temporary)
        trailer = bytes.fromhex(sha256_file(temporary))
        with temporary.open("ab") as file:
            file.write(trailer)


def read_resume(path: Path, digest: str) -> dict[str, Any] | None:
    """Read resume state, or return ``None`` when there is none for these settings or it is damaged."""
    if not path.is_file():
        return None
    content = memoryview(path.read_bytes())
    body, trailer = content[:-TRAILER], content[-TRAILER:]
    state = None
    if hashlib.sha256(body).digest() == trailer:
        with contextlib.suppress(Exception):  # whatever torch raises on a file that is none of ours
            state = torch.load(io.BytesIO(body), weights_only=True, map_location="cpu")
    if not isinstance(state, dict):
        log.warning("%s is damaged and not used: training begins anew", path)
    elif state.get("digest") != digest:
        log.info("%s is of other code, settings or inputs and not used: training begins anew", path)
    else:
        return state
    return None


def discard_resume(scratch: Path) -> None:
    """Remove a training job's resume state: its run is finished."""
    shutil.rmtree(scratch, ignore_errors=True)
