"""Where tensors live, and in which arithmetic. Here and not in training/: vision/ and text/ compute too."""

import functools
import logging
import os

import torch

log = logging.getLogger(__name__)


@functools.cache
def compute_device() -> torch.device:
    """The leased GPU if there is one, else the CPU; says so where a GPU was given and torch sees none."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if given := os.environ.get("CUDA_VISIBLE_DEVICES"):
        log.warning("computing on the CPU: torch sees no GPU, though CUDA_VISIBLE_DEVICES is %s", given)
    return torch.device("cpu")


def warn_of_idle_gpu(device: torch.device, label: str) -> None:
    """Say so where a job has a GPU and computes on another device."""
    if device.type != compute_device().type:
        log.warning("%s: computes on the %s; its GPU is idle", label, device.type.upper())


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for ``bf16`` (matrix products in bfloat16, residuals and norms in float32), none for ``fp32``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
