"""Effective rank (Roy and Vetterli 2007): how many directions a matrix of tokens uses, as a real number."""

from typing import Literal

import torch
from torch import Tensor


def effective_rank(matrix: Tensor, centre: bool = False) -> Tensor:
    """Return exp(−Σ pᵢ ln pᵢ) with pᵢ = σᵢ / Σσ, the singular values not squared, and 0 ln 0 = 0.

    Args:
        matrix: (..., T, D); it is computed in float64. centre: take the mean row off first.

    Returns:
        (...), between 1 and min(T, D); the zero matrix has 0.
    """
    matrix = matrix.double()
    if centre:
        matrix = matrix - matrix.mean(-2, keepdim=True)
    values = torch.linalg.svdvals(matrix)
    total = values.sum(-1, keepdim=True)
    shares = values / total.clamp_min(torch.finfo(torch.float64).tiny)
    entropy = -torch.xlogy(shares, shares).sum(-1)
    return torch.where(total[..., 0] > 0, entropy.exp(), 0.0)


def rank_of_tokens(tokens: Tensor, per: Literal["image", "stacked"]) -> float:
    """Return the effective rank of images' tokens, (N, T, D): mean over images, or of all tokens below each other."""
    matrices = tokens if per == "image" else tokens.flatten(0, 1)
    return float(effective_rank(matrices).mean())
