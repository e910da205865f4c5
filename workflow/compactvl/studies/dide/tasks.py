"""Items with answers, and captions, as training and evaluation read them."""

import json
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.sparse import csr_array
from torch import Tensor

from compactvl.data.canonical import CanonicalSet
from compactvl.data.vqa_targets import target_scores
from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, answers_of
from compactvl.nn.compute import compute_device
from compactvl.studies.dide.settings import Answering
from compactvl.text.batches import TokenBatch
from compactvl.text.questions import encode_texts
from compactvl.text.wordpiece import WordPiece

TEXT_COLUMNS = ("question", "statement", "hypothesis")


class Items:
    """Rows of an items table, their texts encoded.

    Attributes:
        ids: word pieces of each item's text. images: (items, 1 or 2) image ids.
    """

    def __init__(self, name: str, table: pd.DataFrame, tokenizer: WordPiece, settings: Answering) -> None:
        column = next((one for one in TEXT_COLUMNS if one in table), None)
        wanted = ["image_0", "image_1"] if settings.image_pair else ["image_id"]
        if column is None or not set(wanted) <= set(table):
            raise UserError(
                f"data set {name!r}: its items have columns {', '.join(table)}; needed are {' and '.join(wanted)}, and one of "
                f"{', '.join(TEXT_COLUMNS)}; name another data set, or correct `image_pair`"
            )
        self.name, self.settings = name, settings
        self.images = table[wanted].to_numpy(dtype=object)
        self.ids = encode_texts(tokenizer, table[column].tolist(), settings.trunk.longest)

    def texts(self, rows: Sequence[int] | np.ndarray) -> TokenBatch:
        """Texts of some items, on the compute device."""
        return TokenBatch.of([self.ids[row] for row in rows], device=compute_device())

    def image_ids(self, rows: np.ndarray) -> tuple[list[str], np.ndarray | None]:
        """Image ids that items need, and for each item its place among them.

        Items of two images: all first ones, then all second ones, and ``None``.
        """
        if self.settings.image_pair:
            return [*self.images[rows, 0], *self.images[rows, 1]], None
        ids, place = np.unique(self.images[rows, 0].astype(str), return_inverse=True)
        return ids.tolist(), place


class TrainingItems(Items):
    """A split's items with their targets.

    Args:
        known_only: leave out those without an answer of the list (released, in training).

    Attributes:
        answers: the task's. several: whether answers score each by itself (VQA).
    """

    def __init__(
        self, dataset: CanonicalSet, split: str, tokenizer: WordPiece, settings: Answering, known_only: bool = True
    ) -> None:
        table = dataset.items[dataset.items["split"] == split].reset_index(drop=True)
        self.answers = answers_of(dataset)
        if len(self.answers) != settings.answers:
            raise UserError(
                f"data set {dataset.name!r} has {len(self.answers)} answers, the variant's `answers` says {settings.answers}; "
                "correct that setting"
            )
        self.several = "answers" in table
        scores = self._taught(table) if self.several else answer_scores(dataset.name, table, self.answers)
        known = np.flatnonzero(scores.sum(1)) if known_only else np.arange(len(table))
        if not len(known):
            raise UserError(f"data set {dataset.name!r} has no item of split {split} with an answer of its list")
        self.scores = scores[known]
        super().__init__(dataset.name, table.iloc[known], tokenizer, settings)

    def _taught(self, table: pd.DataFrame) -> csr_array:
        """What each answer scores in training: annotators' answers as written (:mod:`compactvl.data.vqa_targets`)."""
        places = {answer: place for place, answer in enumerate(self.answers)}
        rows = [target_scores(json.loads(given), places) for given in table["answers"]]
        found = [(row, place, score) for row, scores in enumerate(rows) for place, score in scores.items()]
        row, place, score = np.array(found, dtype=float).reshape(-1, 3).T
        return csr_array((score, (row.astype(int), place.astype(int))), shape=(len(table), len(self.answers)))

    @cached_property
    def _of_image(self) -> list[np.ndarray]:
        _, image = np.unique(self.images[:, 0].astype(str), return_inverse=True)
        return np.split(np.argsort(image, kind="stable"), np.cumsum(np.bincount(image))[:-1])

    def draw(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """Draw ``size`` items or a few less, ``questions_an_image`` of each image where it has so many."""
        each = self.settings.questions_an_image
        if each == 1:
            return rng.permutation(len(self.ids))[:size]
        images = rng.permutation(len(self._of_image))[: max(1, size // each)]
        return np.concatenate([rng.permutation(self._of_image[image])[:each] for image in images])

    def targets(self, rows: np.ndarray) -> Tensor:
        """Float32 (B, answers) where answers score each by itself, else int64 (B,)."""
        dense = torch.from_numpy(self.scores[rows].toarray().astype(np.float32)).to(compute_device())
        return dense if self.several else dense.argmax(1)


class Captions:
    """Captions of a split as word pieces, with what of them can be masked.

    Args:
        captions: texts. tags: their words' parts of speech, or ``None``: every word can be masked.
    """

    def __init__(self, captions: Sequence[str], tags: Sequence[str] | None, tokenizer: WordPiece, longest: int) -> None:
        distinct = sorted({word for caption in captions for word in caption.split()})
        pieces = dict(
            zip(
                distinct,
                (one.ids for one in tokenizer.backend.encode_batch(distinct, add_special_tokens=False)),
                strict=True,
            )
        )
        self.ids, self.maskable = [], []
        for number, caption in enumerate(captions):
            words = caption.split()
            kinds = ["NOUN"] * len(words) if tags is None else tags[number].split()
            row = [(piece, kind == "NOUN") for word, kind in zip(words, kinds, strict=True) for piece in pieces[word]]
            row = [(tokenizer.cls, False), *row[: longest - 2], (tokenizer.sep, False)]
            self.ids.append([piece for piece, _ in row])
            self.maskable.append([noun for _, noun in row])
        self.seen = np.unique(np.concatenate(self.ids))

    def batch(self, rows: np.ndarray) -> tuple[TokenBatch, Tensor]:
        """Captions by number, and a (B, L) bool: what can be masked."""
        texts = TokenBatch.of([self.ids[row] for row in rows], device=compute_device())
        maskable = TokenBatch.of([self.maskable[row] for row in rows], device=compute_device()).ids.bool()
        return texts, maskable
