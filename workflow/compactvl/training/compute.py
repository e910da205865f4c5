"""Where tensors live."""

import torch


def compute_device() -> torch.device:
    """The leased GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
