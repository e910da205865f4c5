"""Shares of the splits, for data that comes without splits of its own."""

import hashlib
from typing import Annotated

from pydantic import Field, model_validator

from compactvl.config.base import Strict

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class SplitRatios(Strict):
    """Share of the data a split, where the files give no split."""

    train: Fraction = Field(0.8, description="Share of training data.")
    val: Fraction = Field(0.1, description="Share of validation data.")
    test: Fraction = Field(0.1, description="Share of test data.")

    @model_validator(mode="after")
    def _sum(self) -> "SplitRatios":
        if abs(self.train + self.val + self.test - 1.0) > 1e-6:
            raise ValueError(f"train + val + test must be 1, not {self.train + self.val + self.test:g}")
        return self

    def split_of(self, key: str, seed: int) -> str:
        """Return the split of what ``key`` names, from a seeded hash of it: adding others moves it nowhere."""
        digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
        draw = int.from_bytes(digest[:8], "big") / 2**64
        for split in ("train", "val"):
            draw -= getattr(self, split)
            if draw < 0:
                return split
        return "test" if self.test > 0 else "val" if self.val > 0 else "train"
