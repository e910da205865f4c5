"""The number formats of stored tokens against a loop written by hand."""

import numpy as np
import pytest

from compactvl.errors import UserError
from compactvl.vision import codec


def fp8_values() -> list[float]:
    """All finite e4m3 numbers from their definition: sign, 4 exponent bits (bias 7), 3 mantissa bits."""
    values = []
    for bits in range(128):
        exponent, mantissa = bits >> 3, bits & 7
        if (exponent, mantissa) == (15, 7):
            continue
        values.append(mantissa / 8 * 2.0**-6 if exponent == 0 else (1 + mantissa / 8) * 2.0 ** (exponent - 7))
    return values


def by_hand(token: np.ndarray, storage: str) -> np.ndarray:
    limit = {"int8": 127.0, "fp8": 448.0}[storage]
    largest = max(abs(float(x)) for x in token)
    scale = float(np.float16(np.float32(largest) / np.float32(limit))) if largest else 1.0
    grid = np.array([float(n) for n in range(128)] if storage == "int8" else fp8_values())
    out = []
    for x in token:
        scaled = min(abs(float(np.float32(x) / np.float32(scale))), limit)
        out.append(np.copysign(grid[np.argmin(np.abs(grid - scaled))] * scale, x))
    return np.array(out)


@pytest.mark.parametrize("storage", ["int8", "fp8"])
def test_equals_the_loop(storage: str) -> None:
    tokens = np.random.default_rng(0).normal(0, 3, (3, 5, 40)).astype(np.float32)
    tokens[0, 0] = 0
    tokens[1, 2, 3] = 90
    decoded = codec.decode(*codec.encode(tokens, storage), storage)
    expected = np.array([[by_hand(token, storage) for token in image] for image in tokens])
    assert decoded.dtype == np.float16
    np.testing.assert_allclose(decoded, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("storage", "error"), [("fp16", 5e-4), ("int8", 0.5 / 127 + 1e-3), ("fp8", 2.0**-4 + 1e-3)])
def test_error_bound(storage: str, error: float) -> None:
    # fp16 and fp8 are relative to each number, int8 to its token's largest.
    tokens = np.random.default_rng(1).normal(0, 3, (64, 16)).astype(np.float32)
    decoded = codec.decode(*codec.encode(tokens, storage), storage).astype(np.float32)
    reference = np.abs(tokens).max(-1, keepdims=True) if storage == "int8" else np.maximum(np.abs(tokens), 0.05)
    assert (np.abs(decoded - tokens) <= error * reference).all()


@pytest.mark.parametrize("storage", ["fp16", "int8", "fp8"])
def test_bytes_and_shapes(storage: str) -> None:
    payload, scales = codec.encode(np.ones((2, 3, 8), np.float16), storage)
    assert payload.nbytes + (0 if scales is None else scales.nbytes) == 6 * codec.token_bytes(8, storage)
    assert payload.dtype == codec.PAYLOAD_DTYPES[storage]
    assert codec.encode(np.ones((0, 3, 8), np.float32), storage)[0].shape == (0, 3, 8)


@pytest.mark.parametrize("storage", ["fp16", "int8", "fp8"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, 7e4])
def test_refuses_what_fp16_cannot_hold(storage: str, bad: float) -> None:
    with pytest.raises(UserError, match="fp16 cannot"):
        codec.encode(np.array([[1.0, bad]], np.float32), storage)


@pytest.mark.parametrize("storage", ["int8", "fp8"])
def test_tiny_and_huge_tokens_stay_finite(storage: str) -> None:
    tokens = np.array([[1e-12, -1e-9], [65504, -65504], [6e-8, 0]], np.float32)
    assert np.isfinite(codec.decode(*codec.encode(tokens, storage), storage)).all()
