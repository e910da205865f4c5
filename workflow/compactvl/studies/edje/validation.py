"""R@1 on the validation split while training: for the report's curve of quality against pairs seen, never for selection."""

from collections.abc import Callable

import numpy as np

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.retrieval import query_hits
from compactvl.studies.edje.model import JointModel
from compactvl.studies.edje.pairs import Pairs
from compactvl.studies.edje.rerank_pairs import first_stage_table, rerank
from compactvl.studies.edje.settings import JointEncoder
from compactvl.studies.edje.similarity import Similarity
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.store import TokenStore

POOL = 10
IMAGES = 250


class Validation:
    """Rerank the first stage's ten best on up to 250 validation images, one text query an image."""

    def __init__(
        self,
        settings: JointEncoder,
        dataset: CanonicalSet,
        store: TokenStore,
        tokenizer: WordPiece,
        first_stage: Callable[[Pairs], Similarity],
    ) -> None:
        whole = Pairs.of(dataset, "val")
        self._pairs = whole.subset(np.arange(min(IMAGES, len(whole.image_ids))))
        self._table = first_stage_table(first_stage(self._pairs).matrix(), self._pairs, POOL, 1)
        self._store, self._tokenizer, self._precision = store, tokenizer, settings.precision

    def __call__(self, model: JointModel) -> dict[str, float]:
        """Return ``val_r1_t2i`` and ``val_r1_i2t`` in 0..1."""
        table = rerank(self._table, self._pairs, model, self._store, self._tokenizer, precision=self._precision)
        return {f"val_r1_{d}": float(query_hits(table, d, POOL, 1).mean()) for d in ("t2i", "i2t")}
