"""Shard files of a token store: plain ``.npy`` files of a length that is known before they are written.

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
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compactvl.errors import UserError
from compactvl.files import sha256_file, write_error
from compactvl.records.intact import is_intact
from compactvl.records.record import read_record, write_record
from compactvl.vision.codec import PAYLOAD_DTYPES

log = logging.getLogger(__name__)
HEADER_BYTES = 128


class Array(NamedTuple):
    """One array of a shard: the end of its file's name, an image's part of it, and its number format."""

    suffix: str
    row_shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """Bytes an image."""
        return math.prod(self.row_shape) * self.dtype.itemsize


def arrays_of(shape: tuple[int, int], pooled_dim: int, storage: str) -> list[Array]:
    """Return the arrays of a shard: tokens, their scales (int8 and fp8 only), pooled vectors."""
    scales = [] if storage == "fp16" else [Array(".scales.npy", shape[:1], np.dtype("<f2"))]
    return [
        Array(".npy", shape, PAYLOAD_DTYPES[storage]),
        *scales,
        Array(".pooled.npy", (pooled_dim,), np.dtype("<f4")),
    ]


def shard_name(number: int) -> str:
    """Return the name of shard ``number`` without a suffix."""
    return f"shard-{number:05d}"


class ShardWriter:
    """A shard that is being written.

    Args:
        stem: path of its files without their suffixes.
        arrays: its arrays.
        rows: images it is to hold.
        images: (id, SHA-256) of those that an interrupted run wrote.

    Raises:
        UserError: the disk is full or the folder cannot be written.
    """

    def __init__(self, stem: Path, arrays: Sequence[Array], rows: int, images: Iterable[Sequence[str]] = ()) -> None:
        self.stem, self.rows, self.images = stem, rows, [list(pair) for pair in images]
        self._arrays = {Path(f"{stem}{array.suffix}"): array for array in arrays}
        Path(f"{stem}.json").unlink(missing_ok=True)
        with self._removed_on_failure():
            for path, array in self._arrays.items():
                with path.open("r+b" if self.images else "wb") as file:
                    file.write(npy_header((rows, *array.row_shape), array.dtype))

    @property
    def room(self) -> int:
        """Images that are still to come."""
        return self.rows - len(self.images)

    def append(self, images: Sequence[tuple[str, str]], parts: Iterable[np.ndarray]) -> None:
        """Add images, (id, SHA-256) each, and their rows of each array.

        Raises:
            UserError: the disk is full; none of them is added.
        """
        try:
            for (path, array), part in zip(self._arrays.items(), parts, strict=True):
                with path.open("ab") as file:
                    file.write(np.ascontiguousarray(part, array.dtype).data)
        except OSError as error:
            raise write_error(self.stem, error) from error
        self.images += map(list, images)

    def close(self, encoder_digest: str) -> dict[str, Any] | None:
        """Record what was written, and return the record; a shard without images is removed.

        Raises:
            UserError: the disk is full; the shard is removed, as half of it is no use to the next run but its space may be.
        """
        if not self.images:
            return self._remove()
        with self._removed_on_failure():
            for path, array in self._arrays.items():
                with path.open("r+b") as file:
                    # What was written of a batch that did not fit goes.
                    file.truncate(HEADER_BYTES + len(self.images) * array.row_bytes)
                    os.fsync(file.fileno())
            record = {
                "encoder_digest": encoder_digest,
                "full": not self.room,
                "rows": len(self.images),
                "files": {path.name: sha256_file(path) for path in self._arrays},
                "images": self.images,
            }
            write_record(f"{self.stem}.json", record)
        return record

    @contextlib.contextmanager
    def _removed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._remove()
            raise write_error(self.stem, error) from error
        except UserError:
            self._remove()
            raise

    def _remove(self) -> None:
        for path in self._arrays:
            path.unlink(missing_ok=True)


def npy_header(shape: tuple[int, ...], dtype: np.dtype) -> bytes:
    """Return an ``.npy`` header (format 1.0) of exactly :data:`HEADER_BYTES` bytes."""
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    body = repr(description).encode("latin1")
    magic = np.lib.format.magic(1, 0)
    space = HEADER_BYTES - len(magic) - 2
    return magic + space.to_bytes(2, "little") + body.ljust(space - 1) + b"\n"


def whole_records(folder: Path, wanted: Mapping[str, str], encoder_digest: str) -> dict[int, dict[str, Any]]:
    """Return the records, by shard number, of the shards in ``folder`` that still hold, and remove all others' files.

    A file that is not as its record says is named in the log.

    Args:
        folder: the store. wanted: id → SHA-256 of the images to be. encoder_digest: what must have made them.
    """
    records = {}
    for path in sorted(folder.glob("shard-?????.json")):
        with contextlib.suppress(UserError):
            record = read_record(path)
            holds = dict(record["images"]).items() <= wanted.items() and record["encoder_digest"] == encoder_digest
            if holds and path.stem[6:].isdigit() and _is_whole(folder, record):
                records[int(path.stem[6:])] = record
    kept = tuple(f"{shard_name(number)}." for number in records)
    for path in folder.glob("shard-*"):
        if not path.name.startswith(kept):
            path.unlink()
    return records


def _is_whole(folder: Path, record: dict[str, Any]) -> bool:
    for name, sha256 in record["files"].items():
        path = folder / name
        if not path.is_file() or not is_intact(path, sha256):
            log.warning("%s is missing or damaged: the images of its shard are encoded again", path)
            return False
    return True
