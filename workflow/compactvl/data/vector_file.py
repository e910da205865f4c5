"""Precomputed image vectors in ``.npy`` files, one row an image; mapped into memory, never read whole.

An image's id is ``<file name without .npy>-<row>``. A set's manifest lists its files under ``vectors``:
``{path, stem, rows, dim, sha256}``.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compactvl.errors import UserError
from compactvl.files import sha256_file

BLOCK = 8192
"""Rows that are checked at a time."""


def open_vectors(path: str | Path, dim: int | None = None) -> np.ndarray:
    """Map a vector file: a read-only array (rows, dim) of a floating dtype; without ``dim`` vectors of any length.

    Raises:
        UserError: missing, no ``.npy`` file, cut short, or another shape or dtype.
    """
    path = Path(path)
    try:
        # Closed by the garbage collector with the array: numpy gives no other handle on the mapping.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path} is missing; put the vector file there") from None
    except Exception as error:  # whatever a damaged header provokes in numpy
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if "pickle" in reason or "Python objects" in reason:
            reason = "no .npy header, or pickled Python objects, which are never read"
        raise UserError(f"{path} is not a readable .npy file ({reason}); get it again") from error
    wanted = "(rows, dim)" if dim is None else f"(rows, {dim})"
    if not isinstance(array, np.ndarray) or array.ndim != 2 or (dim is not None and array.shape[1] != dim):
        shape = array.shape if isinstance(array, np.ndarray) else "several arrays"
        raise UserError(f"{path} has shape {shape}; a vector file has {wanted}")
    if not np.issubdtype(array.dtype, np.floating):
        raise UserError(f"{path} has dtype {array.dtype}; image vectors are floating-point numbers")
    return array


def vector_facts(paths: Sequence[str | Path], dim: int) -> list[dict[str, Any]]:
    """Return what a set's manifest says about its vector files.

    Raises:
        UserError: a bad file (see :func:`open_vectors`), two with the same name, or a number that is not finite.
    """
    arrays = [open_vectors(path, dim) for path in paths]
    stems = [Path(path).stem for path in paths]
    repeated = next((stem for stem in stems if stems.count(stem) > 1), None)
    if repeated is not None:
        raise UserError(f"two vector files are named {repeated}.npy; rename one, image ids come from the name")
    for path, array in zip(paths, arrays, strict=True):
        for start in range(0, len(array), BLOCK):
            finite = np.isfinite(array[start : start + BLOCK]).all(axis=1)
            if not finite.all():
                row = start + int(finite.argmin())
                raise UserError(f"{path} row {row}: not all numbers are finite; get the file again")
    return [
        {"path": str(path), "stem": stem, "rows": len(array), "dim": dim, "sha256": sha256_file(path)}
        for path, stem, array in zip(paths, stems, arrays, strict=True)
    ]


def row_ids(facts: Sequence[Mapping[str, Any]], number: int, said: str) -> list[str]:
    """Return the image ids of the rows of vector files, one file after the other.

    Raises:
        UserError: as many rows as ``number`` not given; ``said`` is where that comes from ("a.json has {} captions").
    """
    ids = [f"{fact['stem']}-{row}" for fact in facts for row in range(fact["rows"])]
    if len(ids) != number:
        files = " + ".join(fact["path"] for fact in facts)
        raise UserError(f"{said.format(number)} and {files} has {len(ids)} vectors; they must match row by row")
    return ids


class VectorFiles:
    """Reader of the vectors that a set's image ids name, of length ``dim``; ``facts`` are its manifest's ``vectors``.

    Raises:
        UserError: none listed, a file is gone, or its shape is not the one recorded.
    """

    def __init__(self, facts: Iterable[Mapping[str, Any]]) -> None:
        self._arrays: dict[str, np.ndarray] = {}
        for fact in facts:
            array = open_vectors(fact["path"], fact["dim"])
            if len(array) != fact["rows"]:
                raise UserError(
                    f"{fact['path']} has {len(array)} rows, its data set was made with {fact['rows']}; "
                    "put the old file back or curate the set again"
                )
            self._arrays[fact["stem"]] = array
        if not self._arrays:
            raise UserError("the data set has no vector files; give 'vectors' in its settings")
        self.dim: int = fact["dim"]

    def read(self, ids: Sequence[str]) -> np.ndarray:
        """Return the vectors of image ids, float32 (len(ids), dim), in their order.

        Raises:
            UserError: an unknown id, or a vector with a value that is not finite.
        """
        out = np.empty((len(ids), self.dim), dtype=np.float32)
        for place, image_id in enumerate(ids):
            stem, _, row = image_id.rpartition("-")
            if not (row.isdecimal() and stem in self._arrays and int(row) < len(self._arrays[stem])):
                raise UserError(f"no vector of image {image_id!r}; the files are {', '.join(sorted(self._arrays))}")
            out[place] = self._arrays[stem][int(row)]
        finite = np.isfinite(out).all(axis=1)
        if not finite.all():
            bad = ids[int(finite.argmin())]
            raise UserError(f"the vector of image {bad!r} has values that are not finite; get its file again")
        return out
