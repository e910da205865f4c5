"""Shard files of a token store: plain ``.npy`` with a header of fixed length, written front to back.

A shard k is up to four files:

| file | content |
|---|---|
| shard-0000k.npy | tokens (rows, T, D), the storage's number format |
| shard-0000k.scales.npy | float16 (rows, T); int8 and fp8 only |
| shard-0000k.pooled.npy | pooled vectors, float32 (rows, P) |
| shard-0000k.json | record: encoder digest, image ids and hashes in row order, file hashes; written last |

The record makes a shard a unit of resuming: a shard without one is unfinished and is dropped.
"""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from compactvl.errors import UserError
from compactvl.files import read_json, sha256_file, write_json

HEADER_BYTES = 128


def shard_name(number: int) -> str:
    """Return the name of shard ``number`` without a suffix."""
    return f"shard-{number:05d}"


class ArrayFile:
    """A ``.npy`` file that grows by blocks of rows and appears under its name only when complete.

    Args:
        path: the final file.
        row_shape: shape of one row.
        dtype: number format.
    """

    def __init__(self, path: Path, row_shape: Sequence[int], dtype: np.dtype) -> None:
        self.path, self.row_shape, self.dtype = path, tuple(row_shape), np.dtype(dtype)
        self.rows = 0
        self._temporary = path.with_name(f".{path.name}.part")
        try:
            self._file: BinaryIO = self._temporary.open("wb")
            self._file.write(bytes(HEADER_BYTES))
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror}; free space or choose another folder") from error

    def append(self, rows: np.ndarray) -> None:
        """Add rows (n, *row_shape) at the end."""
        try:
            self._file.write(np.ascontiguousarray(rows, dtype=self.dtype).data.cast("B"))
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; free some space and run again") from error
        self.rows += len(rows)

    def finish(self) -> None:
        """Write the header, flush to disk, and give the file its name."""
        try:
            self._file.seek(0)
            self._file.write(npy_header((self.rows, *self.row_shape), self.dtype))
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise UserError(f"cannot write {self.path}: {error.strerror}; free some space and run again") from error

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """Return an ``.npy`` header (format 1.0) of exactly :data:`HEADER_BYTES` bytes."""
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    body = repr(description).encode("latin1")
    magic = np.lib.format.magic(1, 0)
    space = HEADER_BYTES - len(magic) - 2
    return magic + space.to_bytes(2, "little") + body.ljust(space - 1) + b"\n"


def check_array(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Check a file's size and header against what its manifest promises.

    Raises:
        UserError: missing, cut short, or another shape or number format.
    """
    expected = HEADER_BYTES + int(np.prod(shape)) * np.dtype(dtype).itemsize
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); encode again") from error
    if size != expected:
        raise UserError(f"{path} has {size} bytes, its manifest says {expected}; delete it and encode again")
    if head != npy_header(shape, np.dtype(dtype)):
        raise UserError(f"{path} does not hold {shape} {np.dtype(dtype)} as its manifest says; encode again")


def read_array(path: Path) -> np.ndarray:
    """Read a whole ``.npy`` file.

    Raises:
        UserError: missing or no array.
    """
    try:
        return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); delete it and encode again") from error


def write_record(folder: Path, number: int, digest: str, ids: Sequence[str], hashes: Sequence[str]) -> dict[str, Any]:
    """Write a finished shard's record and return it."""
    stem = shard_name(number)
    names = [name for name in (f"{stem}.npy", f"{stem}.scales.npy", f"{stem}.pooled.npy") if (folder / name).is_file()]
    record = {
        "encoder_digest": digest,
        "rows": len(ids),
        "files": {name: sha256_file(folder / name) for name in names},
        "sizes": {name: (folder / name).stat().st_size for name in names},
        "images": dict(zip(ids, hashes, strict=True)),
    }
    write_json(folder / f"{stem}.json", record)
    return record


def read_records(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the records of the finished shards in ``folder`` by shard number; damaged ones are left out."""
    records = {}
    for path in sorted(folder.glob("shard-?????.json")):
        try:
            record = read_json(path)
            sizes = {name: (folder / name).stat().st_size for name in record["files"]}
            whole = sizes == record["sizes"] and record["rows"] == len(record["images"])
        except (UserError, OSError, KeyError, TypeError, AttributeError):
            continue
        if whole and path.stem[6:].isdigit():
            records[int(path.stem[6:])] = record
    return records


def remove_shard(folder: Path, number: int) -> None:
    """Remove a shard's files, the record first."""
    stem = shard_name(number)
    for name in (f"{stem}.json", f"{stem}.npy", f"{stem}.scales.npy", f"{stem}.pooled.npy"):
        (folder / name).unlink(missing_ok=True)
