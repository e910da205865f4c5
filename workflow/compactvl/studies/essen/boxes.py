"""Items whose answer is one of an image's boxes; each box is cut out of the image and seen by itself."""

import json

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.errors import UserError
from compactvl.nn.compute import compute_device
from compactvl.studies.items import Items, share_of
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.pixels import Part


class BoxItems(Items):
    """Rows of a table of expressions and boxes (:mod:`compactvl.evaluation.benchmarks.grounding`).

    Attributes:
        boxes: of each item, x, y, width, height in pixels.
    """

    def __init__(
        self, name: str, table: pd.DataFrame, tokenizer: WordPiece, *, longest: int, share: float = 1.0
    ) -> None:
        table = share_of(table, share, "image_id")
        super().__init__(name, table, tokenizer, longest=longest)
        self.boxes = [[tuple(box) for box in json.loads(text)] for text in table["boxes"]]
        self._right = table["target"].to_numpy(dtype=int) if "target" in table else None

    def parts(self, rows: np.ndarray) -> list[Part]:
        """All boxes of the first item, then of the next."""
        return [Part(str(self.images[row, 0]), box) for row in rows for box in self.boxes[row]]

    def counts(self, rows: np.ndarray) -> Tensor:
        """How many boxes each item has: int64 (B,), on the compute device."""
        return torch.tensor([len(self.boxes[row]) for row in rows], device=compute_device())

    def targets(self, rows: np.ndarray) -> Tensor:
        """The place of the right box among an item's: int64 (B,), on the compute device.

        Raises:
            UserError: the data set does not say which it is.
        """
        if self._right is None:
            raise UserError(f"data set {self.name!r} has no column `target`; train on one whose boxes are annotated")
        return torch.from_numpy(self._right[rows]).to(compute_device())

    def score(self, logits: Tensor, rows: np.ndarray) -> float:
        """The share of the items whose right box has the highest logit."""
        return float((logits.argmax(1) == self.targets(rows)).float().mean())
