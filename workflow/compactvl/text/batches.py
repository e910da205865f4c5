"""Rows of token ids as padded batches, and rows cut into batches that need little padding."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class TokenBatch:
    """Rows of token ids.

    Attributes:
        ids: (B, L) int64, padded on the right.
        lengths: (B,) int64, number of real ids of each row.
    """

    ids: Tensor
    lengths: Tensor

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]], pad: int = 0, device: torch.device | str = "cpu") -> "TokenBatch":
        """Pad rows with ``pad`` to the longest of them."""
        lengths = torch.tensor([len(row) for row in rows])
        ids = torch.full((len(rows), int(lengths.max())), pad)
        ids[torch.arange(ids.shape[1]) < lengths[:, None]] = torch.tensor(
            [i for row in rows for i in row], dtype=torch.int64
        )
        return cls(ids, lengths).to(device)

    def to(self, device: torch.device | str) -> "TokenBatch":
        """The same rows on another device."""
        return TokenBatch(self.ids.to(device), self.lengths.to(device))

    def pick(self, rows: Tensor) -> "TokenBatch":
        """Select rows by index, cutting padding that no longer is needed."""
        lengths = self.lengths[rows]
        return TokenBatch(self.ids[rows, : int(lengths.max())], lengths)

    @cached_property
    def mask(self) -> Tensor:
        """(B, L) bool, true at real ids."""
        return torch.arange(self.ids.shape[1], device=self.ids.device) < self.lengths[:, None]

    @property
    def padded_mask(self) -> Tensor | None:
        """:attr:`mask`, or ``None`` where nothing is padded: attention without a mask is faster."""
        return None if bool((self.lengths == self.ids.shape[1]).all()) else self.mask


def batches_by_length(
    lengths: Sequence[int] | np.ndarray,
    kinds: Sequence[int] | np.ndarray | None = None,
    *,
    rows: int | None = None,
    tokens: int | None = None,
) -> list[np.ndarray]:
    """Cut rows into batches of similar length, shortest first.

    Args:
        lengths, kinds: (N,) of the rows; rows of different kinds do not share a batch.
        rows, tokens: most a batch, padding included; a longer row is a batch of its own.

    Returns:
        Row numbers, int64; together each of 0..N-1 once.
    """
    lengths = np.asarray(lengths)
    kinds = np.zeros(len(lengths), int) if kinds is None else np.asarray(kinds)
    batches: list[list[int]] = []
    for row in np.lexsort((lengths, kinds)):
        last = batches[-1] if batches else []
        full = len(last) == rows or (tokens is not None and lengths[row] * (len(last) + 1) > tokens)
        if not last or full or kinds[row] != kinds[last[0]]:
            batches.append([])
        batches[-1].append(row)
    return [np.array(batch) for batch in batches]
