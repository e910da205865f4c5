"""Converted weights as :mod:`compactvl.vision.convert` writes them, read again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from compactvl.errors import UserError
from compactvl.files import sha256_bytes
from compactvl.records.intact import check_recorded


def read_weights(path: str | Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read converted weights and their record; the file's hash must be the recorded one.

    Returns:
        State dictionary and the content of ``<name>.json``.

    Raises:
        UserError: weights or record missing, or they do not belong together.
    """
    from safetensors.torch import load_file

    path = Path(path)
    record = path.with_suffix(".json")
    if not path.is_file() or not record.is_file():
        raise UserError(f"{path if record.is_file() else record} is missing; run `compactvl weights` for it first")
    facts = check_recorded(path, record)
    try:
        return load_file(path), facts
    except Exception as error:  # safetensors raises its own SafetensorError
        raise UserError(
            f"{path} is no safetensors file ({str(error).splitlines()[0][:120]}); delete it and convert the weights again"
        ) from error


def check_fit(weights: str, wrong: Mapping[str, Sequence[str]], remedy: str) -> None:
    """Raise UserError if tensors do not fit a model.

    Args:
        weights: whose they are and of which model, for the message.
        wrong: what is wrong ("missing") → the names of such tensors, perhaps none.
        remedy: what to do.
    """
    parts = [f"{len(keys)} tensors {what} ({', '.join(keys[:3])})" for what, keys in wrong.items() if keys]
    if parts:
        raise UserError(f"{weights}: {'; '.join(parts)}; {remedy}")


def check_pin(expected: str | None, digest: str, where: str) -> None:
    """Raise UserError unless weights have the SHA-256 that the settings give, if they give one."""
    if expected is not None and digest != expected:
        raise UserError(f"{where}: weights have SHA-256 {digest}, the settings pin {expected}; get the pinned ones")


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """Return the SHA-256 over a state dictionary's names, shapes and float32 bytes, in name order."""
    lines = []
    for name in sorted(state):
        value = state[name].detach().cpu()
        value = value.float() if value.is_floating_point() else value
        content = sha256_bytes(memoryview(value.contiguous().reshape(-1).numpy()).cast("B")) if value.numel() else ""
        lines.append(f"{name} {tuple(value.shape)} {content}")
    return sha256_bytes("\n".join(lines).encode())
