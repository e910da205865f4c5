"""Encoders: settings in, a frozen :class:`Encoder` out. What loaders there are: :mod:`compactvl.vision.loaders`."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from compactvl.config.encoders import EncoderSettings
from compactvl.config.kinds import LOADERS
from compactvl.nn.compute import arithmetic, autocast, compute_device
from compactvl.nn.grids import resample
from compactvl.vision.loading import try_size
from compactvl.vision.preprocessing import Preprocessing


class Encoder:
    """A frozen image model: uint8 pixels in, patch tokens and one pooled vector out.

    Args:
        model: module from normalised pixels (B, 3, S, S) to ``(tokens (B, T, D), pooled (B, P))``.
        preprocess: from image bytes to a uint8 array (3, S, S).
        precision: ``fp32``, or ``bf16`` (autocast: matrix products in bfloat16, residuals and norms in float32).
        facts: what identifies the model (model, loader, weights_sha256); preprocessing and precision are added.
        device: where the model runs.

    Attributes:
        tokens_shape: (T, D).
        pooled_dim: P.
        facts: everything that determines the tokens' values, JSON-serialisable.

    Raises:
        UserError: the model cannot take images of the size ``preprocess`` gives.
    """

    def __init__(
        self, model: nn.Module, preprocess: Preprocessing, precision: str, facts: dict[str, Any], device: str
    ) -> None:
        self.device = torch.device(device)
        self.model = model.eval().requires_grad_(False).to(self.device)
        self.preprocess = preprocess
        self.precision = precision
        self.facts = {**facts, "preprocessing": preprocess.facts(), "precision": precision}
        self._mean = torch.tensor(preprocess.mean, device=self.device).view(1, 3, 1, 1)
        self._std = torch.tensor(preprocess.std, device=self.device).view(1, 3, 1, 1)
        tokens, pooled = try_size(self, preprocess.image_size, facts["model"])
        self.tokens_shape = (tokens.shape[1], tokens.shape[2])
        self.pooled_dim = pooled.shape[1]

    @torch.inference_mode()
    def __call__(self, batch: np.ndarray | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode a batch.

        Args:
            batch: (B, 3, S, S), uint8 in 0..255 or floating point in 0..1, not normalised.

        Returns:
            Tokens (B, T, D) and pooled vectors (B, P), both float32 on the encoder's device.
        """
        pixels = torch.as_tensor(batch).to(self.device)
        pixels = pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()
        return self.forward_normalised((pixels - self._mean) / self._std)

    @torch.inference_mode()
    def forward_normalised(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the model on normalised float32 pixels (B, 3, S, S); outputs as in :meth:`__call__`."""
        with autocast(self.device, self.precision):
            tokens, pooled = self.model(pixels)
        return tokens.float(), pooled.float()


class Averaged(nn.Module):
    """A model whose square map of tokens is averaged to ``grid`` rows and columns; what is pooled stays."""

    def __init__(self, model: nn.Module, grid: int) -> None:
        super().__init__()
        self.model, self.grid = model, grid

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (B, 3, S, S) → tokens (B, grid², D), pooled (B, P)."""
        tokens, pooled = self.model(pixels)
        return resample(tokens.float(), self.grid), pooled


def load_encoder(
    settings: EncoderSettings, weights_path: str | Path | None = None, device: str | None = None
) -> Encoder:
    """Load an encoder.

    Args:
        settings: one entry of the configuration's ``encoders``.
        weights_path: converted weights (packaged loaders only).
        device: where the model runs; ``None`` takes the first GPU, else the CPU.

    Raises:
        UserError: weights missing, damaged, of another model, or a size the model cannot take.
    """
    device = device or compute_device().type
    # On CPUs the fused attention operator is slower than plain products in bfloat16.
    fused = device != "cpu" or arithmetic(torch.device(device), settings.precision) == "fp32"
    loader = importlib.import_module(f"{LOADERS}.{settings.loader}")
    model, preprocessing, facts = loader.load(settings, weights_path, fused)
    if settings.grid is not None:
        model, facts = Averaged(model, settings.grid), {**facts, "grid": settings.grid}
    return Encoder(model, preprocessing, settings.precision, {"loader": settings.loader, **facts}, device)
