"""Modulation of features by a condition: FiLM and DyIntra; squeeze-excitation over channels."""

from torch import Tensor, nn


class Film(nn.Module):
    """y = γ(condition)·x + β(condition)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(width, width)
        self.beta = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``x`` and ``condition``: (..., d), broadcastable."""
        return self.gamma(condition) * x + self.beta(condition)


class DyIntra(nn.Module):
    """y = x·(1 + σ(W condition))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Linear(width, width)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``x`` and ``condition``: (..., d), broadcastable."""
        return x * (1 + self.weight(condition).sigmoid())


class ChannelAttention(nn.Module):
    """Squeeze-excitation: x·σ(W₂ ReLU(W₁ mean of x over tokens)), d → d/16 → d."""

    def __init__(self, width: int, reduced: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, reduced)
        self.excite = nn.Linear(reduced, width)

    def forward(self, x: Tensor) -> Tensor:
        """``x``: (B, N, d)."""
        return x * self.excite(self.squeeze(x.mean(1, keepdim=True)).relu()).sigmoid()


MODULATIONS = {"film": Film, "dyintra": DyIntra}
