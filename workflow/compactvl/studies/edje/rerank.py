"""Rank images for a query with a trained run and a token store: EDJE's online stage as a library.

reranker = Reranker.open("runs/edje/edje/seed0", "cache/tokens/dinov2_s/scenes")
reranker.rank("two dogs left of a cake", top=5)
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from compactvl.errors import UserError
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.model import JointModel, compress_all, score_pairs
from compactvl.studies.edje.stores import check_store, is_compressed
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

BLOCK = 1024


class Reranker:
    """A joint encoder bound to a token store.

    Args:
        model: joint model in evaluation mode.
        store: patch tokens of the model's encoder (T, d_v), or its own compressed tokens (m, width).
        tokenizer: the joint encoder's.
    """

    def __init__(self, model: JointModel, store: TokenStore, tokenizer: WordPiece) -> None:
        self.model, self.store, self.tokenizer = model, store, tokenizer
        self._compressed = is_compressed(store)

    @classmethod
    def open(cls, run: str | Path, tokens: str | Path) -> "Reranker":
        """Open a run and a store by their folders.

        Raises:
            UserError: either is missing, unfinished or corrupt, or they do not belong together.
        """
        model, store = open_joint(run), TokenStore.open(tokens)
        check_store(store, run, model)
        return cls(model, store, open_tokenizer(run))

    def tokens(self, image_ids: Sequence[str]) -> Tensor:
        """Compressed tokens, float32 (N, m, width)."""
        if self._compressed:
            return torch.from_numpy(self.store.read(image_ids)).float()
        return compress_all(self.model, self.store, image_ids)

    def score(self, query: str, image_ids: Sequence[str]) -> np.ndarray:
        """Matching logits of one query with images, float32 (N,), in the order given.

        Raises:
            UserError: see :meth:`compactvl.text.wordpiece.WordPiece.read`.
        """
        longest, canonical = self.model.longest_caption, self.model.settings.joint.canonical
        captions = TokenBatch.of([self.tokenizer.read(query, longest, "the query", canonical=canonical)])
        parts = []
        for start in range(0, len(image_ids), BLOCK):
            vision = self.tokens(image_ids[start : start + BLOCK])
            rows = np.arange(len(vision))
            text = np.zeros(len(vision), np.int64)
            parts.append(score_pairs(self.model, vision, captions, rows, text, self.tokenizer.sep))
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def rank(
        self, query: str, image_ids: Sequence[str] | None = None, top: int | None = None
    ) -> list[tuple[str, float]]:
        """Return (image id, score), best first; images of equal score keep their order.

        Args:
            query: free text.
            image_ids: candidates, e.g. a first stage's; default: every image of the store.
            top: how many to return; default: all.

        Raises:
            UserError: see :meth:`score`; or ``top`` is below 1, or an image is not in the store.
        """
        if top is not None and top < 1:
            raise UserError(f"top {top}: ask for 1 image or more, or for all (None)")
        ids = list(self.store.ids if image_ids is None else image_ids)
        scores = self.score(query, ids)
        order = np.argsort(-scores, kind="stable")[:top]
        return [(ids[index], float(scores[index])) for index in order]
