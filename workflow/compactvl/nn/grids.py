"""Tokens that are a square map of an image."""

import math

from torch import Tensor
from torch.nn import functional as F

from compactvl.errors import UserError


def resample(tokens: Tensor, grid: int) -> Tensor:
    """Average a square map of tokens to ``grid`` rows and columns, or repeat them where it has fewer: (B, T, D) → (B, grid², D).

    Raises:
        UserError: the tokens are no square map.
    """
    side = math.isqrt(tokens.shape[1])
    if side**2 != tokens.shape[1]:
        raise UserError(f"{tokens.shape[1]} tokens are no square map; leave `grid` out, or choose another encoder")
    maps = tokens.transpose(1, 2).unflatten(2, (side, side))
    return F.adaptive_avg_pool2d(maps, grid).flatten(2).transpose(1, 2)
