"""EDJE's trained models as scorers of image-text pairs."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Job
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.model import JointModel, compress_all, score_pairs
from compactvl.studies.edje.similarity import Similarity, open_similarity, open_store
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.codec import decode, encode, token_bytes
from compactvl.vision.store import TokenStore

FirstStage = Callable[[Sequence[str], Sequence[str]], Similarity]
"""(image ids, captions) → their similarity."""


class EmbeddingPairs:
    """An embedding variant: its similarity is its score."""

    reranks, kilobytes = False, None

    def __init__(self, first_stage: FirstStage) -> None:
        self._first_stage = first_stage

    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        return self._first_stage(image_ids, texts).matrix()

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        return self.similarity(image_ids, texts)[images, captions]


class JointPairs:
    """A joint encoder behind its first stage.

    Args:
        first_stage: what its candidates are chosen by.
        parts: gives the model, the store of patch tokens and the tokenizer when scores are first asked for.
        storage: number format the compressed tokens go through, as they would on disk.
    """

    reranks = True

    def __init__(
        self,
        first_stage: FirstStage,
        parts: Callable[[], tuple[JointModel, TokenStore, WordPiece]],
        storage: str = "fp16",
    ) -> None:
        self._first_stage, self._open, self._storage = first_stage, parts, storage

    @cached_property
    def _parts(self) -> tuple[JointModel, TokenStore, WordPiece]:
        return self._open()

    @property
    def kilobytes(self) -> float:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        model = self._parts[0]
        return model.tokens * token_bytes(model.bert.shape.width, self._storage) / 1000

    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        return self._first_stage(image_ids, texts).matrix()

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        model, store, tokenizer = self._parts
        vision = through_storage(compress_all(model, store, image_ids), self._storage)
        ids = TokenBatch.of(model.encode(tokenizer, texts))
        return score_pairs(model, vision, ids, images, captions, tokenizer.sep)


def first_stage_of(job: Job, variant: str, dataset: str) -> FirstStage:
    """Return what binds an embedding variant to images and captions of a data set."""
    run = job.peer_run(variant)
    return lambda image_ids, captions: open_similarity(run, job.layout, dataset, image_ids, captions)


def open_embedding(job: Job, benchmark: BenchmarkKind) -> EmbeddingPairs:
    """Open an embedding variant for a benchmark's data set."""
    return EmbeddingPairs(first_stage_of(job, job.variant, benchmark.dataset))


def open_joint_pairs(job: Job, benchmark: BenchmarkKind) -> JointPairs:
    """Open a joint encoder for a benchmark's data set; its run is loaded when scores are first asked for."""
    settings, run = job.settings, job.run

    def parts() -> tuple[JointModel, TokenStore, WordPiece]:
        return open_joint(run), open_store(settings, job.layout, benchmark.dataset, run), open_tokenizer(run)

    first_stage = first_stage_of(job, settings.first_stage, benchmark.dataset)
    return JointPairs(first_stage, parts, benchmark.storage)


def through_storage(vision: Tensor, storage: str) -> Tensor:
    """Compressed tokens as they come back from a store of that number format: float32 tensor in, float32 out."""
    return torch.from_numpy(decode(*encode(vision.numpy(), storage), storage)).float()
