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


@functools.cache
def cpu_has_bfloat16() -> bool:
    """Whether torch's CPU kernels compute in bfloat16 (x86: from AVX-512 on); says so where they do not."""
    has = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    if not has:
        log.warning("computing in float32: this processor has no bfloat16, and emulating it is many times slower")
    return has


def arithmetic(device: torch.device, precision: str) -> str:
    """The precision that a device computes in: ``fp32`` instead of ``bf16`` on a CPU without bfloat16."""
    return "fp32" if precision == "bf16" and device.type == "cpu" and not cpu_has_bfloat16() else precision


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for ``bf16`` (matrix products in bfloat16, residuals and norms in float32), none for ``fp32``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=arithmetic(device, precision) == "bf16")
