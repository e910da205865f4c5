"""From an image's cached vectors to the decoder's width: a projection, then a small transformer (paper: image)."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compactvl.nn.multihead import MultiHeadAttention
from compactvl.studies.gating.modulation import ChannelAttention
from compactvl.studies.gating.settings import Image, Shape

REDUCTION = 16


class EncoderLayer(nn.Module):
    """Post-norm transformer layer with GELU, as ``nn.TransformerEncoderLayer``."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(shape.width, shape.heads, shape.dropout)
        self.up = nn.Linear(shape.width, shape.feedforward)
        self.down = nn.Linear(shape.feedforward, shape.width)
        self.norm_1, self.norm_2 = nn.LayerNorm(shape.width), nn.LayerNorm(shape.width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """``x``: (B, N, d)."""
        x = self.norm_1(x + self.dropout(self.attention(x, x)))
        return self.norm_2(x + self.dropout(self.down(self.dropout(F.gelu(self.up(x))))))


class ImageEncoder(nn.Module):
    """Perhaps standardise → Linear → ``layers`` post-norm layers → perhaps channel attention.

    Args:
        copied: whether all layers begin with the same weights, as ``nn.TransformerEncoder``'s do (released).

    Attributes:
        mean, scale: (image width,) float32, of the training images where the vectors are standardised, else 0 and 1.
    """

    def __init__(self, image: Image, shape: Shape, copied: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(image.width))
        self.register_buffer("scale", torch.ones(image.width))
        self.project = nn.Linear(image.width, shape.width)
        self.layers = nn.ModuleList(EncoderLayer(shape) for _ in range(image.layers))
        if copied:
            for layer in self.layers:
                layer.load_state_dict(self.layers[0].state_dict())
        self.channels = (
            ChannelAttention(shape.width, shape.width // REDUCTION) if image.channel_attention else nn.Identity()
        )

    def standardise(self, vectors: Tensor) -> None:
        """Set ``mean`` and ``scale`` to those of ``vectors``, (images, N, image width)."""
        flat = vectors.flatten(0, 1).double()
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(flat.std(0, correction=0).clamp(min=1e-6))

    def forward(self, vectors: Tensor, modulate: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Encode.

        Args:
            vectors: (B, N, image width), N = 1 with the CLS vector.
            modulate: applied to the projected vectors (modulation on the image), (B, N, d) → (B', N, d).

        Returns:
            (B', N, d).
        """
        x = self.project((vectors - self.mean) / self.scale)
        if modulate is not None:
            x = modulate(x)
        for layer in self.layers:
            x = layer(x)
        return self.channels(x)
