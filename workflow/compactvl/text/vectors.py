"""Text vectors on disk: one row a distinct text of a data set, made once and read by every model that needs them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.files import atomic_path
from compactvl.records.intact import check_files
from compactvl.records.record import MANIFEST, Made, write

VECTORS, INDEX = "vectors.npy", "texts.parquet"
COLUMNS = ("caption", "question", "statement", "hypothesis")


def texts_of(items: pd.DataFrame) -> list[str]:
    """Return the distinct texts of a data set's items, sorted: every column of :data:`COLUMNS`, or ``caption_<digit>``."""
    columns = [c for c in items.columns if c in COLUMNS or (c.startswith("caption_") and c[8:].isdigit())]
    return sorted({text for column in columns for text in items[column]})


class TextVectors:
    """Vectors of width ``dim`` by text.

    Raises:
        UserError: a file is missing, or not what the manifest says.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        check_files(folder, VECTORS, INDEX, stage="embed")
        self._vectors = np.load(folder / VECTORS, mmap_mode="r", allow_pickle=False)
        texts = pd.read_parquet(folder / INDEX)["text"]
        self._row = {text: row for row, text in enumerate(texts)}
        self._folder = folder
        self.dim = self._vectors.shape[1]

    def get(self, texts: Sequence[str]) -> np.ndarray:
        """Return float32 (len(texts), dim), unit length.

        Raises:
            UserError: a text has no vector.
        """
        try:
            return np.asarray(self._vectors[[self._row[text] for text in texts]], np.float32)
        except KeyError as error:
            raise UserError(f"{self._folder} has no vector for the text {error}; run the embed stage again") from None


def embed(encoder, dataset: CanonicalSet, folder: str | Path, facts: dict[str, Any], made: Made) -> None:
    """Embed every distinct text of ``dataset`` and store the vectors.

    Args:
        encoder: has ``encode(texts) -> float32 (N, D)`` and ``device``: :class:`compactvl.text.sentences.SentenceEncoder`.
        facts: what identifies the encoder (name, weights' SHA-256, precision, canonical), for the manifest.

    Raises:
        UserError: a vector is not finite.
    """
    folder = Path(folder)
    texts = texts_of(dataset.items)
    vectors = encoder.encode(texts, label=f"embed {dataset.name}")
    if not np.isfinite(vectors).all():
        raise UserError(f"text encoder {facts['name']!r} gives vectors that are not finite; get its weights again")
    (folder / MANIFEST).unlink(missing_ok=True)
    with atomic_path(folder / VECTORS) as temporary:
        np.save(temporary, vectors)
    with atomic_path(folder / INDEX) as temporary:
        pd.DataFrame({"text": texts}).to_parquet(temporary, index=False)
    files = [folder / name for name in (VECTORS, INDEX)]
    facts = {"encoder": facts, "count": len(texts), "dim": int(vectors.shape[1])}
    write(folder / MANIFEST, made, files, device=str(encoder.device), **facts)
