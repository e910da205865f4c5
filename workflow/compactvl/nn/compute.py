"""Where tensors live, and in which arithmetic. Here and not in training/: vision/ and text/ compute too."""

import torch


def compute_device() -> torch.device:
    """The leased GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision for ``bf16`` (matrix products in bfloat16, residuals and norms in float32), none for ``fp32``."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
