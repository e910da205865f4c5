"""Number formats of stored tokens: fp16, and int8 or fp8 (e4m3) with one fp16 scale a token.

A token x of D numbers is stored as q = round(x / s), with s = max|x| / 127 (int8) or max|x| / 448 (fp8) rounded to
fp16, and read as q · s. Bytes a token: 2 D, or D + 2.
"""

import numpy as np
import torch

from compactvl.errors import UserError

LIMITS = {"int8": 127.0, "fp8": 448.0}
PAYLOAD_DTYPES = {"fp16": np.dtype("<f2"), "int8": np.dtype("i1"), "fp8": np.dtype("u1")}
"""numpy type of the payload; fp8 is kept as its bit pattern, since numpy has no such number."""

_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)
_LARGEST = {"int8": 515.5, "fp8": 146.125}  # largest fp16 scales whose limit · scale is still an fp16 number
_BITS = torch.arange(256, dtype=torch.uint8)
_VALUES = {"int8": _BITS.view(torch.int8).half().numpy(), "fp8": _BITS.view(torch.float8_e4m3fn).half().numpy()}
"""Value of each bit pattern; every one is an fp16 number, so value · scale is rounded once."""


def encode(tokens: np.ndarray, storage: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Encode tokens for storage.

    Args:
        tokens: float32 or float16 (..., T, D).
        storage: ``fp16``, ``int8`` or ``fp8``.

    Returns:
        Payload (..., T, D) of :data:`PAYLOAD_DTYPES` and scales float16 (..., T), or ``None`` for fp16.

    Raises:
        UserError: a value is not finite or beyond what fp16 holds (65504).
    """
    tokens = np.asarray(tokens)
    largest = np.abs(tokens).max(axis=-1, initial=0.0).astype(np.float32)
    if not np.isfinite(largest).all() or largest.max(initial=0.0) > 65504:
        raise UserError(
            f"tokens hold values fp16 cannot (largest {largest.max()}); choose precision fp32 or another encoder"
        )
    if storage == "fp16":
        return tokens.astype(PAYLOAD_DTYPES["fp16"]), None
    limit = LIMITS[storage]
    scales = np.where(largest > 0, np.clip(largest / limit, _SMALLEST, _LARGEST[storage]), 1.0).astype(np.float16)
    scaled = np.clip(tokens.astype(np.float32) / scales.astype(np.float32)[..., None], -limit, limit)
    if storage == "int8":
        return np.rint(scaled).astype(np.int8), scales
    return torch.from_numpy(scaled).to(torch.float8_e4m3fn).view(torch.uint8).numpy(), scales


def decode(payload: np.ndarray, scales: np.ndarray | None, storage: str) -> np.ndarray:
    """Decode stored tokens: the inverse of :func:`encode`, up to its rounding.

    Returns:
        float16 (..., T, D); for fp16 the payload itself.
    """
    if storage == "fp16":
        return payload
    values = torch.from_numpy(_VALUES[storage][payload.view(np.uint8)])
    return values.mul_(torch.from_numpy(np.array(scales))[..., None]).numpy()


def token_bytes(width: int, storage: str) -> int:
    """Return the bytes one token of ``width`` numbers takes, its scale included."""
    return width * PAYLOAD_DTYPES[storage].itemsize + (0 if storage == "fp16" else 2)
