"""Small decoders and batches."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.settings import Decoder
from compactvl.text.batches import TokenBatch

VOCABULARY = 50
SMALL = {
    "kind": "decoder",
    "tokenizer": "bpe",
    "texts": ["texts"],
    "captions": ["captions"],
    "shape": {"width": 32, "heads": 4, "feedforward": 48, "layers": 2, "length": 20, "dropout": 0.0},
    "image": {"encoder": "eyes", "width": 12, "layers": 1},
    "precision": "fp32",
}


@pytest.fixture
def build() -> Callable[..., GatedDecoder]:
    """Build a small decoder, in evaluation mode, from settings laid over ``SMALL``."""

    def make(**changes: Any) -> GatedDecoder:
        torch.manual_seed(0)
        body = {**SMALL, **changes}
        for key in ("shape", "image"):
            body[key] = {**SMALL[key], **changes.get(key, {})}
        return GatedDecoder(Decoder(**body), VOCABULARY).eval()

    return make


@pytest.fixture
def tokens() -> TokenBatch:
    """Three texts of 7, 4 and 5 tokens; id 0 occurs as a word."""
    rows = [[2, 5, 0, 7, 8, 9, 1], [2, 11, 12, 1], [2, 13, 0, 14, 1]]
    return TokenBatch.of(rows, pad=3)


@pytest.fixture
def vectors() -> torch.Tensor:
    """An image vector for each of the texts: (3, 1, 12)."""
    return torch.randn(3, 1, 12, generator=torch.Generator().manual_seed(1))
