"""Unigram and bigram models of tokens: controls that know frequencies and neighbours, nothing else."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

LEAST = 0.01
"""Added to each token's continuation count, so that no token is impossible."""


class NGramModel(nn.Module):
    """Unigram with add-constant smoothing, or bigram with interpolated Kneser-Ney smoothing.

        P₁(w) = (N₁₊(·w) + ε) / Σ            unigram: counts instead of N₁₊, the number of different tokens before w
        P₂(w | v) = max(c(vw) − D, 0) / c(v·) + D·N₁₊(v·) / c(v·) · P₁(w)

    Args:
        order: 1 or 2. vocabulary: entries. discount: D.
    """

    def __init__(self, order: int, vocabulary: int, discount: float) -> None:
        super().__init__()
        self.order, self.vocabulary, self.discount = order, vocabulary, discount
        for name in ("pairs", "counts", "contexts", "followers"):
            self.register_buffer(name, torch.zeros(0 if name in ("pairs", "counts") else vocabulary, dtype=torch.int64))
        self.register_buffer("base", torch.zeros(vocabulary, dtype=torch.float64))

    def fit(self, blocks: Iterable[Sequence[Sequence[int]]]) -> int:
        """Count blocks of rows of ids, each row beginning with [BOS]; return the number of tokens predicted."""
        pairs, counts = np.empty(0, np.int64), np.empty(0, np.int64)
        for rows in blocks:
            keys = np.concatenate([np.asarray(row[:-1]) * self.vocabulary + np.asarray(row[1:]) for row in rows])
            own = np.unique(keys, return_counts=True)
            pairs, place = np.unique(np.concatenate([pairs, own[0]]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, own[1]]), len(pairs)).astype(np.int64)
        before, after = np.divmod(pairs, self.vocabulary)
        weights = counts if self.order == 1 else np.ones_like(counts)
        base = np.bincount(after, weights, self.vocabulary) + LEAST
        self.base = torch.from_numpy(base / base.sum())
        if self.order == 2:
            self.pairs, self.counts = torch.from_numpy(pairs), torch.from_numpy(counts)
            self.contexts = torch.from_numpy(np.bincount(before, counts, self.vocabulary).astype(np.int64))
            self.followers = torch.from_numpy(np.bincount(before, minlength=self.vocabulary))
        return int(counts.sum())

    def probabilities(self, before: Tensor, after: Tensor) -> Tensor:
        """P(after | before), elementwise: int64 (n,), (n,) → float64 (n,)."""
        base = self.base[after]
        if self.order == 1:
            return base
        key = before * self.vocabulary + after
        place = torch.searchsorted(self.pairs, key).clamp(max=len(self.pairs) - 1)
        count = torch.where(self.pairs[place] == key, self.counts[place], 0).double()
        context = self.contexts[before].double()
        seen = context.clamp(min=1)
        share = torch.where(context > 0, self.discount * self.followers[before] / seen, 1.0)
        return (count - self.discount).clamp(min=0) / seen + share * base

    def resize(self, pairs: int) -> None:
        """Make room for the state of a fitted model with that many different pairs."""
        self.pairs, self.counts = torch.zeros(pairs, dtype=torch.int64), torch.zeros(pairs, dtype=torch.int64)

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.TextScorer`; images are not looked at."""
        owner = np.concatenate(
            [np.full(len(row) - start, i) for i, (row, start) in enumerate(zip(rows, starts, strict=True))]
        )
        before, after = (
            torch.tensor(
                [row[i + shift] for row, start in zip(rows, starts, strict=True) for i in range(start, len(row))]
            )
            for shift in (-1, 0)
        )
        logs = self.probabilities(before, after).log().numpy()
        return np.bincount(owner, logs, len(rows))
