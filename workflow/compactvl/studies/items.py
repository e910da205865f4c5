"""Items with answers as training and evaluation read them: texts as word pieces, images by id, what each answer scores."""

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
from compactvl.files import digest_of
from compactvl.nn.compute import compute_device
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece

TEXT_COLUMNS = ("question", "statement", "hypothesis", "expression")


class Items:
    """Rows of an items table, their texts encoded.

    Args:
        longest: most word pieces of a text. image_pair: items of two images.

    Attributes:
        ids: word pieces of each item's text. images: (items, 1 or 2) image ids.
    """

    def __init__(
        self, name: str, table: pd.DataFrame, tokenizer: WordPiece, *, longest: int, image_pair: bool = False
    ) -> None:
        column = next((one for one in TEXT_COLUMNS if one in table), None)
        wanted = ["image_0", "image_1"] if image_pair else ["image_id"]
        if column is None or not set(wanted) <= set(table):
            raise UserError(
                f"data set {name!r}: its items have columns {', '.join(table)}; needed are {' and '.join(wanted)}, and one of "
                f"{', '.join(TEXT_COLUMNS)}; name another data set, or correct `image_pair`"
            )
        self.name, self.image_pair = name, image_pair
        self.images = table[wanted].to_numpy(dtype=object)
        self.ids = tokenizer.encode(table[column].tolist(), longest)

    def texts(self, rows: Sequence[int] | np.ndarray) -> TokenBatch:
        """Texts of some items, on the compute device."""
        return TokenBatch.of([self.ids[row] for row in rows], device=compute_device())

    def image_ids(self, rows: np.ndarray) -> tuple[list[str], np.ndarray | None]:
        """Image ids that items need, and for each item its place among them.

        Items of two images: all first ones, then all second ones, and ``None``.
        """
        if self.image_pair:
            return [*self.images[rows, 0], *self.images[rows, 1]], None
        ids, place = np.unique(self.images[rows, 0].astype(str), return_inverse=True)
        return ids.tolist(), place

    @cached_property
    def _of_image(self) -> list[np.ndarray]:
        _, image = np.unique(self.images[:, 0].astype(str), return_inverse=True)
        return np.split(np.argsort(image, kind="stable"), np.cumsum(np.bincount(image))[:-1])

    def draw(self, size: int, rng: np.random.Generator, an_image: int = 1) -> np.ndarray:
        """Draw ``size`` items or a few less, ``an_image`` of each image where it has so many."""
        if an_image == 1:
            return rng.permutation(len(self.ids))[:size]
        images = rng.permutation(len(self._of_image))[: max(1, size // an_image)]
        return np.concatenate([rng.permutation(self._of_image[image])[:an_image] for image in images])


class TrainingItems(Items):
    """A split's items with their targets.

    Args:
        answers: how many the task has, as the variant says.
        share: of the images, all items of an image together; smaller shares are parts of larger ones.
        known_only: leave out those without an answer of the list (released, in training).

    Attributes:
        answers: the task's. several: whether answers score each by itself (VQA).
    """

    def __init__(
        self,
        dataset: CanonicalSet,
        split: str,
        tokenizer: WordPiece,
        *,
        answers: int,
        longest: int,
        image_pair: bool = False,
        share: float = 1.0,
        known_only: bool = True,
    ) -> None:
        table = dataset.items[dataset.items["split"] == split].reset_index(drop=True)
        table = share_of(table, share, "image_0" if image_pair else "image_id")
        self.answers = answers_of(dataset)
        if len(self.answers) != answers:
            raise UserError(
                f"data set {dataset.name!r} has {len(self.answers)} answers, the variant's `answers` says {answers}; "
                "correct that setting"
            )
        self.several = "answers" in table
        scores = self._taught(table) if self.several else answer_scores(dataset.name, table, self.answers)
        known = np.flatnonzero(scores.sum(1)) if known_only else np.arange(len(table))
        if not len(known):
            raise UserError(f"data set {dataset.name!r} has no item of split {split} with an answer of its list")
        self.scores = scores[known]
        super().__init__(dataset.name, table.iloc[known], tokenizer, longest=longest, image_pair=image_pair)

    def _taught(self, table: pd.DataFrame) -> csr_array:
        """What each answer scores in training: annotators' answers as written (:mod:`compactvl.data.vqa_targets`)."""
        places = {answer: place for place, answer in enumerate(self.answers)}
        rows = [target_scores(json.loads(given), places) for given in table["answers"]]
        found = [(row, place, score) for row, scores in enumerate(rows) for place, score in scores.items()]
        row, place, score = np.array(found, dtype=float).reshape(-1, 3).T
        return csr_array((score, (row.astype(int), place.astype(int))), shape=(len(table), len(self.answers)))

    def targets(self, rows: np.ndarray) -> Tensor:
        """Float32 (B, answers) where answers score each by itself, else int64 (B,)."""
        dense = torch.from_numpy(self.scores[rows].toarray().astype(np.float32)).to(compute_device())
        return dense if self.several else dense.argmax(1)

    def score(self, logits: Tensor, rows: np.ndarray) -> float:
        """What the answers with the highest logits score, mean over items."""
        return float(self.scores[rows].toarray()[np.arange(len(rows)), logits.argmax(1).cpu().numpy()].mean())


def share_of(table: pd.DataFrame, share: float, image: str) -> pd.DataFrame:
    """Keep the items of a share of the images, in an order that the ids alone decide; at least one image's."""
    if share == 1:
        return table
    images = sorted(set(table[image]), key=digest_of)
    kept = images[: max(1, round(share * len(images)))]
    return table[table[image].isin(kept)].reset_index(drop=True)
