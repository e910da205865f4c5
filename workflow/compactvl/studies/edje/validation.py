"""R@1 on the validation split while training: for the report's curve of quality against pairs seen, never for selection."""

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.evaluation.pairs import first_stage_table, rescored
from compactvl.evaluation.retrieval import query_hits
from compactvl.studies.edje.model import JointModel
from compactvl.studies.edje.open import FirstStage, JointPairs
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

POOL = 10
IMAGES = 250


class Validation:
    """Rerank the first stage's ten best on up to 250 validation images, one text query an image."""

    def __init__(self, dataset: CanonicalSet, store: TokenStore, tokenizer: WordPiece, first_stage: FirstStage) -> None:
        whole = Pairs.of(dataset, "val")
        self._pairs = pairs = whole.subset(np.arange(min(IMAGES, len(whole.image_ids))))
        self._table = first_stage_table(first_stage(pairs.image_ids, pairs.captions).matrix(), pairs, POOL, 1)
        self._first_stage, self._store, self._tokenizer = first_stage, store, tokenizer

    def __call__(self, model: JointModel) -> dict[str, float]:
        """Return ``val_r1_t2i`` and ``val_r1_i2t`` in 0..1."""
        scorer = JointPairs(self._first_stage, lambda: (model, self._store, self._tokenizer))
        table = rescored(self._table, self._pairs, scorer)
        return {f"val_r1_{d}": float(query_hits(table, d, POOL, 1).mean()) for d in ("t2i", "i2t")}
