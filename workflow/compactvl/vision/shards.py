"""Shard files of a token store: plain ``.npy`` with a header of fixed length, written front to back.

A shard k is up to four files:

| file | content |
|---|---|
| shard-0000k.npy | tokens (rows, T, D), the storage's number format |
| shard-0000k.scales.npy | float16 (rows, T); int8 and fp8 only |
| shard-0000k.pooled.npy | pooled vectors, float32 (rows, P) |
| shard-0000k.json | record: encoder digest, image ids and hashes in row order, file hashes; written last |

The record makes a shard a unit of resuming: a shard without one is unfinished and is dropped, and so is a shard that is
not what its record says. An interrupted run leaves a record of the part it wrote (``full`` is false); the next one goes on
in that shard, so that a store is the same however often its making was interrupted.
"""

import contextlib
import io
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compactvl.errors import UserError
from compactvl.files import sha256_file, write_error
from compactvl.records.intact import is_intact
from compactvl.records.record import read_record, write_record

log = logging.getLogger(__name__)
HEADER_BYTES = 128
AGAIN = "delete the manifest beside it and have snakemake make it again"
"""Remedy for damage: shards that are whole are kept, and only the images of the others are encoded again."""


def shard_name(number: int) -> str:
    """Return the name of shard ``number`` without a suffix."""
    return f"shard-{number:05d}"


class ArrayFile:
    """A ``.npy`` file that grows by blocks of rows and appears under its name only when complete.

    Args:
        path: the final file.
        row_shape: shape of one row.
        dtype: number format.
        rows: rows of the finished file to go on from; ``None`` begins a new one.
    """

    def __init__(self, path: Path, row_shape: Sequence[int], dtype: np.dtype, rows: int | None = None) -> None:
        self.path, self.row_shape, self.dtype = path, tuple(row_shape), np.dtype(dtype)
        self.rows = 0
        self._temporary = path.with_name(f".{path.name}.part")
        try:
            if rows is not None:
                os.replace(path, self._temporary)
            # Not buffered: what was written is known at any time, so a full disk costs no rows written before.
            self._file = self._temporary.open("wb" if rows is None else "r+b", buffering=0)
        except OSError as error:
            raise write_error(path, error) from error
        if rows is not None:
            self.keep(rows)
            return
        try:
            self._write(bytes(HEADER_BYTES))
        except OSError as error:
            self.discard()
            raise write_error(path, error) from error

    def append(self, rows: np.ndarray) -> None:
        """Add rows (n, *row_shape) at the end.

        Raises:
            UserError: the disk is full; :meth:`keep` then says which rows stay.
        """
        try:
            self._write(np.ascontiguousarray(rows, dtype=self.dtype).data.cast("B"))
        except OSError as error:
            raise write_error(self.path, error) from error
        self.rows += len(rows)

    def keep(self, rows: int) -> None:
        """Drop all but the first ``rows`` rows, and what was written of a row that did not fit."""
        self.rows = rows
        self._file.truncate(HEADER_BYTES + rows * int(np.prod(self.row_shape)) * self.dtype.itemsize)
        self._file.seek(0, os.SEEK_END)

    def finish(self) -> None:
        """Write the header, flush to disk, and give the file its name."""
        try:
            self._file.seek(0)
            self._write(npy_header((self.rows, *self.row_shape), self.dtype))
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise write_error(self.path, error) from error

    def discard(self) -> None:
        """Remove what was written, if it is not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]


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
        raise UserError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
    if size != expected:
        raise UserError(f"{path} has {size} bytes, its manifest says {expected}; {AGAIN}")
    if head != npy_header(shape, np.dtype(dtype)):
        raise UserError(f"{path} does not hold {shape} {np.dtype(dtype)} as its manifest says; {AGAIN}")


def read_array(path: Path) -> np.ndarray:
    """Read a whole ``.npy`` file.

    Raises:
        UserError: missing or no array.
    """
    try:
        return np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); {AGAIN}") from error


def write_shard_record(
    folder: Path, number: int, digest: str, ids: Sequence[str], hashes: Sequence[str], full: bool
) -> dict[str, Any]:
    """Write a shard's record, with its own digest, and return it; ``full``: nothing is to be added to the shard."""
    stem = shard_name(number)
    names = [name for name in (f"{stem}.npy", f"{stem}.scales.npy", f"{stem}.pooled.npy") if (folder / name).is_file()]
    record = {
        "encoder_digest": digest,
        "full": full,
        "rows": len(ids),
        "files": {name: sha256_file(folder / name) for name in names},
        "sizes": {name: (folder / name).stat().st_size for name in names},
        "images": [list(pair) for pair in zip(ids, hashes, strict=True)],
    }
    write_record(folder / f"{stem}.json", record)
    return record


def read_records(folder: Path) -> dict[int, dict[str, Any]]:
    """Return the records of the finished shards in ``folder`` by shard number; damaged ones are left out."""
    records = {}
    for path in sorted(folder.glob("shard-?????.json")):
        with contextlib.suppress(UserError):
            record = read_record(path)
            if path.stem[6:].isdigit():
                records[int(path.stem[6:])] = record
    return records


def is_whole(folder: Path, record: dict[str, Any]) -> bool:
    """Return whether a shard's files are what its record says; a file that is not is named in the log."""
    for name, sha256 in record["files"].items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != record["sizes"][name] or not is_intact(path, sha256):
            log.warning("%s is missing or damaged: the images of its shard are encoded again", path)
            return False
    return True


def remove_shard(folder: Path, number: int) -> None:
    """Remove a shard's files, the record first."""
    stem = shard_name(number)
    for name in (f"{stem}.json", f"{stem}.npy", f"{stem}.scales.npy", f"{stem}.pooled.npy"):
        (folder / name).unlink(missing_ok=True)
