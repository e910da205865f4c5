"""Questions and image tokens as training and evaluation read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, answers_of
from compactvl.nn.compute import compute_device
from compactvl.nn.grids import resample
from compactvl.studies.base import Job
from compactvl.studies.encoder_roles.settings import LanguageModel, Subset
from compactvl.text.batches import TokenBatch
from compactvl.text.vectors import TextVectors
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

BLOCK = 256
"""Images whose tokens are read and averaged at a time."""


class Texts:
    """A data set's questions as a reader takes them: vectors, or word pieces."""

    def __init__(self, job: Job, dataset: str) -> None:
        reader, layout = job.settings.reader, job.layout
        self._vectors = self._tokenizer = None
        if isinstance(reader, LanguageModel):
            self._tokenizer, self._longest = WordPiece.beside(layout.weights(reader.weights)), reader.longest
        else:
            self._vectors = TextVectors(layout.texts(job.settings.text_encoder, dataset))

    def __call__(self, texts: Sequence[str]) -> Tensor | list[list[int]]:
        """Return vectors (n, d_t), or rows of word pieces with [CLS] and [SEP]."""
        if self._vectors is not None:
            return torch.from_numpy(self._vectors.get(texts))
        return self._tokenizer.encode(texts, self._longest)


def batch_of(questions: Tensor | Sequence[Sequence[int]]) -> Tensor | TokenBatch:
    """Put questions on the compute device, as a reader takes them."""
    if isinstance(questions, Tensor):
        return questions.to(compute_device())
    return TokenBatch.of(questions, device=compute_device())


def joined(parts: Sequence[Tensor | list[list[int]]]) -> Tensor | list[list[int]]:
    """Put questions one after another."""
    return torch.cat(list(parts)) if isinstance(parts[0], Tensor) else [row for part in parts for row in part]


@dataclass(frozen=True)
class Asked:
    """A split's questions of one data set.

    Attributes:
        images: its images' ids, each once. rows: of each image, its questions' numbers.
        questions: see :class:`Texts`. targets: (questions,) int64.
    """

    images: list[str]
    rows: list[np.ndarray]
    questions: Tensor | list[list[int]]
    targets: Tensor

    def pick(self, numbers: np.ndarray) -> Tensor | list[list[int]]:
        """Return some of the questions."""
        if isinstance(self.questions, Tensor):
            return self.questions[torch.from_numpy(numbers)]
        return [self.questions[number] for number in numbers]


def images_and_places(items: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Return the images that items name, each once and sorted, and each item's place among them."""
    ids, place = np.unique(items["image_id"].to_numpy(dtype=str), return_inverse=True)
    return ids.tolist(), place


def open_asked(job: Job, name: str, split: str) -> tuple[Asked, list[str]]:
    """Open a data set's questions that have an answer in its list, which is the best one; and that list.

    Raises:
        UserError: it has another number of answers than the settings say, or no such questions.
    """
    dataset, settings = CanonicalSet.open(job.layout.dataset(name)), job.settings
    answers = answers_of(dataset)
    if len(answers) != settings.sets[name].answers:
        raise UserError(
            f"data set {name!r} has {len(answers)} answers, the variant's `sets.{name}.answers` says "
            f"{settings.sets[name].answers}; correct that setting"
        )
    table = dataset.split(split)
    if not {"question", "image_id"} <= set(table):
        raise UserError(f"data set {name!r}: its items need question and image_id; name another data set")
    scores = answer_scores(name, table, answers)
    known = np.flatnonzero(scores.sum(1))
    if not len(known):
        raise UserError(f"data set {name!r} has no {split} question with an answer of its list; name another data set")
    table, targets = (
        table.iloc[known].reset_index(drop=True),
        torch.from_numpy(scores[known].argmax(1).astype(np.int64)),
    )
    images, place = images_and_places(table)
    rows = np.split(np.argsort(place, kind="stable"), np.cumsum(np.bincount(place))[:-1])
    return Asked(images, rows, Texts(job, name)(table["question"].tolist()), targets), answers


def read_tokens(store: TokenStore, settings: Subset, encoder: str, images: Sequence[str]) -> Tensor:
    """Return images' tokens, averaged to the common grid: float32 (n, grid², d_e).

    Raises:
        UserError: the store lacks an image, has tokens of another width, or they are no square map.
    """
    if store.shape[1] != settings.encoders[encoder]:
        raise UserError(
            f"{store.folder} holds tokens of width {store.shape[1]}, the variant's `encoders.{encoder}` says "
            f"{settings.encoders[encoder]}; correct that setting"
        )
    blocks = [list(images[start : start + BLOCK]) for start in range(0, len(images), BLOCK)]
    return torch.cat([resample(torch.from_numpy(store.read(ids)).float(), settings.grid) for ids in blocks])


def open_stores(job: Job, dataset: str) -> Mapping[str, TokenStore]:
    """Open every encoder's tokens of the images of a set of questions."""
    images = job.settings.images_of(dataset)
    return {encoder: job.tokens(encoder, images) for encoder in job.settings.encoders}
