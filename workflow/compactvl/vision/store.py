"""The token store: an encoder's tokens for every image of a data set, on disk.

A folder of shards (see :mod:`compactvl.vision.shards`), ``pooled.npy`` (float32 (N, P), the shards' pooled vectors one
after another), ``index.parquet`` (image_id, shard, row, image_sha256 in storage order) and, written last,
``manifest.json``. A folder without a manifest is unfinished and cannot be opened.

Bytes on disk beside the tokens' own (N · T · D · 2 in fp16) are listed in the manifest under ``bytes``: 128 an
``.npy`` header, 2 a token for the scales of int8 and fp8, 4 · P an image for each of the two copies of the pooled
vector (the shard's is what lets a shard survive an update), the index and the shards' records.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from compactvl.errors import UserError
from compactvl.files import atomic_path, digest_of, sha256_file, write_error
from compactvl.records.intact import check_file
from compactvl.records.record import MANIFEST, Made, read_manifest, write
from compactvl.vision import codec
from compactvl.vision.shards import (
    HEADER_BYTES,
    Array,
    ShardWriter,
    arrays_of,
    npy_header,
    shard_name,
    whole_records,
)

MEMORY_MAP_SHARE = 0.3
"""Stores up to this share of the machine's memory are read through a memory map, larger ones by ``os.pread``."""


class TokenWriter:
    """Writes a token store shard by shard; what earlier runs finished is kept where it still holds.

    A shard is kept, byte for byte, if it is whole, its encoder, shape and storage are unchanged and every image in it is
    still wanted with the same content. Leaving the ``with`` block by an exception puts the open shard aside, and the
    next run goes on in it, so an interrupted run loses nothing it encoded; a killed one loses its open shard.

    Args:
        folder: the store.
        shape: (T, D).
        pooled_dim: P.
        storage: ``fp16``, ``int8`` or ``fp8``.
        encoder_facts: what determines the tokens' values; a change drops every shard.
        images: id → SHA-256 of all images the finished store is to hold.
        batch: images a call of :meth:`append`; the last one may have fewer. No batch is split between shards, so an
            interrupted run goes on with the same batches.
        dataset: name and further facts of the data set, for the manifest.
        shard_bytes: size of tokens from which a shard is full.

    Attributes:
        missing: ids of ``images`` that are not in a kept shard, in the order of ``images``.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        shape: tuple[int, int],
        pooled_dim: int,
        storage: str,
        encoder_facts: Mapping[str, Any],
        images: Mapping[str, str],
        batch: int = 1,
        dataset: Mapping[str, Any] | None = None,
        shard_bytes: int = 512_000_000,
    ) -> None:
        self.folder, self.shape, self.pooled_dim, self.storage = Path(folder), tuple(shape), pooled_dim, storage
        self.encoder_facts, self.dataset, self._images = dict(encoder_facts), dict(dataset or {}), dict(images)
        self._digest = digest_of([self.encoder_facts, list(self.shape), pooled_dim, storage])
        self._arrays = arrays_of(self.shape, pooled_dim, storage)
        batch_bytes = batch * shape[0] * codec.token_bytes(shape[1], storage)
        self._shard_rows = batch * -(-shard_bytes // batch_bytes)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        (self.folder / MANIFEST).unlink(missing_ok=True)
        self._records = whole_records(self.folder, self._images, self._digest)
        stored = {image_id for record in self._records.values() for image_id, _ in record["images"]}
        self.missing = [image_id for image_id in self._images if image_id not in stored]
        self._waiting = set(self.missing)
        self._open: ShardWriter | None = None
        if aside := [number for number, record in self._records.items() if not record["full"]]:
            self._open_shard(aside[0], self._records.pop(aside[0])["images"])

    def __enter__(self) -> "TokenWriter":
        return self

    def __exit__(self, *exc: object) -> None:
        self._close_shard()

    def append(self, ids: Sequence[str], tokens: np.ndarray, pooled: np.ndarray) -> None:
        """Add a batch.

        Args:
            ids: B image ids, the next ones of ``missing``.
            tokens: float32 or float16 (B, T, D).
            pooled: float32 (B, P).

        Raises:
            UserError: values the storage cannot hold, or the disk is full.
            ValueError: shapes or ids that contradict the writer's.
        """
        if tokens.shape != (len(ids), *self.shape) or pooled.shape != (len(ids), self.pooled_dim):
            raise ValueError(f"got tokens {tokens.shape} and pooled {pooled.shape} for {len(ids)} ids")
        if len(set(ids)) != len(ids) or not self._waiting.issuperset(ids):
            raise ValueError("an image is appended twice, or is none of those to be stored")
        payload, scales = codec.encode(tokens, self.storage)
        if self._open is None:
            # The first number that is free: a store whose damaged shard is encoded again is the same as before.
            self._open_shard(next(number for number in itertools.count() if number not in self._records))
        if len(ids) > self._open.room:
            raise ValueError(f"a batch of {len(ids)} does not fit the batches that were announced")
        images = [(image_id, self._images[image_id]) for image_id in ids]
        self._open.append(images, [part for part in (payload, scales, pooled) if part is not None])
        self._waiting.difference_update(ids)
        if not self._open.room:
            self._close_shard()

    def finish(self, made: Made, device: str = "cpu") -> Path:
        """Write pooled vectors, index and manifest; return the manifest's path.

        Args:
            made: what the tokens were made from. device: on what.

        Raises:
            UserError: images of ``images`` were never appended, or the store is empty.
        """
        self._close_shard()
        if self._waiting:
            first = next(image_id for image_id in self.missing if image_id in self._waiting)
            raise UserError(f"{self.folder}: {len(self._waiting)} images not encoded, e.g. {first!r}; run encode again")
        if not self._records:
            raise UserError(f"{self.folder}: no image to store; the data set is empty")
        records = dict(sorted(self._records.items()))
        index = pd.DataFrame(
            [
                (image_id, number, row, digest)
                for number, record in records.items()
                for row, (image_id, digest) in enumerate(record["images"])
            ],
            columns=["image_id", "shard", "row", "image_sha256"],
        ).astype({"shard": "int32", "row": "int32"})
        with atomic_path(self.folder / "index.parquet") as temporary:
            index.to_parquet(temporary, index=False)
        with atomic_path(self.folder / "pooled.npy") as temporary, temporary.open("wb") as file:
            file.write(npy_header((len(index), self.pooled_dim), np.dtype("<f4")))
            for number in records:
                file.write(np.load(self.folder / f"{shard_name(number)}.pooled.npy").tobytes())
        files = {name: digest for record in records.values() for name, digest in record["files"].items()}
        for name in ("pooled.npy", "index.parquet", *(f"{shard_name(number)}.json" for number in records)):
            files[name] = sha256_file(self.folder / name)
        return write(
            self.folder / MANIFEST,
            made,
            dict(sorted(files.items())),
            device=device,
            encoder=self.encoder_facts,
            encoder_digest=self._digest,
            dataset=self.dataset,
            storage=self.storage,
            dtype=codec.PAYLOAD_DTYPES[self.storage].name,
            shape=list(self.shape),
            pooled_dim=self.pooled_dim,
            count=len(index),
            shards={str(number): record["rows"] for number, record in records.items()},
            bytes=self._bytes(len(index), len(records)),
        )

    def _open_shard(self, number: int, images: Sequence[Sequence[str]] = ()) -> None:
        self._number, rows = number, min(self._shard_rows, len(images) + len(self._waiting))
        self._open = ShardWriter(self.folder / shard_name(number), self._arrays, rows, images)

    def _close_shard(self) -> None:
        opened, self._open = self._open, None
        if opened is not None and (record := opened.close(self._digest)) is not None:
            self._records[self._number] = record

    def _bytes(self, images: int, shards: int) -> dict[str, int]:
        payload, *scales, _ = (images * array.row_bytes for array in self._arrays)
        return {
            "tokens": payload,
            "scales": sum(scales),
            "headers": HEADER_BYTES * (shards * len(self._arrays) + 1),
            "pooled": 2 * images * self.pooled_dim * 4,
            "index": (self.folder / "index.parquet").stat().st_size,
            "records": sum(path.stat().st_size for path in self.folder.glob("shard-*.json")),
        }


class TokenStore:
    """Reads a finished token store. Open with :meth:`open`; close it, or use it as a context manager.

    Attributes:
        folder: where it is.
        manifest: content of ``manifest.json``.
        index: table of image_id, shard, row, image_sha256.
        ids: image ids in storage order.
        shape: (T, D).
        storage: number format on disk.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], index: pd.DataFrame, memory_map: bool) -> None:
        self.folder, self.manifest, self.index = folder, manifest, index
        self.ids: list[str] = index["image_id"].tolist()
        self.shape: tuple[int, int] = tuple(manifest["shape"])
        self.storage: str = manifest["storage"]
        # What is read of a shard; its own pooled vectors are the writer's.
        self._arrays = arrays_of(self.shape, manifest["pooled_dim"], self.storage)[:-1]
        self._place = {image_id: place for place, image_id in enumerate(self.ids)}
        self._shard, self._row = index["shard"].to_numpy(), index["row"].to_numpy()
        self._rows = {int(number): rows for number, rows in manifest["shards"].items()}
        self._memory_map = memory_map
        self._maps: dict[Path, np.ndarray] = {}
        self._files: dict[Path, int] = {}
        self._pooled: np.ndarray | None = None

    @classmethod
    def open(cls, folder: str | Path, memory_map: bool | None = None) -> "TokenStore":
        """Open a store. Each file is checked when it is first read.

        Args:
            folder: the store.
            memory_map: how rows are read; ``None`` maps stores up to :data:`MEMORY_MAP_SHARE` of the memory.

        Raises:
            UserError: unfinished, incomplete or damaged.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, "encode")
        check_file(folder / "index.parquet", manifest["files"], folder / MANIFEST)
        index = pd.read_parquet(folder / "index.parquet")
        if memory_map is None:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            memory_map = manifest["bytes"]["tokens"] + manifest["bytes"]["scales"] <= MEMORY_MAP_SHARE * memory
        return cls(folder, manifest, index, memory_map)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, image_id: str) -> bool:
        return image_id in self._place

    def __enter__(self) -> "TokenStore":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; reading again opens them again."""
        for handle in self._files.values():
            os.close(handle)
        self._files.clear()
        self._maps.clear()

    @property
    def nbytes_payload(self) -> int:
        """Bytes of all tokens on disk, scales included, nothing else."""
        return self.manifest["bytes"]["tokens"] + self.manifest["bytes"]["scales"]

    @property
    def pooled_dim(self) -> int:
        """Length P of the pooled vectors."""
        return self.manifest["pooled_dim"]

    def read(self, ids: Iterable[str]) -> np.ndarray:
        """Read images' tokens, in the order asked; ids may repeat.

        Returns:
            float16 (B, T, D), decoded, in memory of its own.

        Raises:
            UserError: an id is not in the store, or a file ends early.
        """
        places = self.places(ids)
        return self._decoded(len(places), partial(self._gather_mapped if self._memory_map else self._gather, places))

    def blocks(self, size: int) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yield the whole store in storage order, by contiguous reads.

        Args:
            size: images a block; the last of each shard may be smaller.

        Yields:
            Ids and float16 tokens (B, T, D) in memory of their own.

        Raises:
            ValueError: ``size`` is below 1.
        """
        if size < 1:
            raise ValueError(f"size {size}: a block has 1 image or more")
        place = 0
        for number, rows in self._rows.items():
            for start in range(0, rows, size):
                count = min(size, rows - start)
                yield self.ids[place : place + count], self._decoded(count, partial(self._read_rows, number, start))
                place += count

    def pooled(self, ids: Iterable[str] | None = None) -> np.ndarray:
        """Return pooled vectors, float32 (B, P): of ``ids``, or of all images in storage order."""
        if self._pooled is None:
            self._pooled = np.array(self._map(self.folder / "pooled.npy"))
        return self._pooled.copy() if ids is None else self._pooled[self.places(ids)]

    def places(self, ids: Iterable[str]) -> np.ndarray:
        """Return the storage order numbers (int64) of ``ids``.

        Raises:
            UserError: an id is not in the store.
        """
        try:
            return np.fromiter((self._place[image_id] for image_id in ids), dtype=np.int64)
        except KeyError as error:
            raise UserError(f"{self.folder} has no tokens of image {error}; encode its data set again") from None

    def _path(self, number: int, array: Array) -> Path:
        return self.folder / f"{shard_name(number)}{array.suffix}"

    def _decoded(self, count: int, fill: Callable[[Array, np.ndarray], None]) -> np.ndarray:
        """Have ``fill`` read ``count`` rows of each array, and decode them."""
        parts = [np.empty((count, *array.row_shape), array.dtype) for array in self._arrays]
        for array, rows in zip(self._arrays, parts, strict=True):
            fill(array, rows)
        payload, scales = (*parts, None)[:2]
        return codec.decode(payload, scales, self.storage)

    def _gather(self, places: np.ndarray, array: Array, rows: np.ndarray) -> None:
        """Read rows by random access, in the order they lie."""
        shards, numbers = self._shard[places], self._row[places]
        for place in np.lexsort((numbers, shards)):
            self._read_rows(shards[place], numbers[place], array, rows[place : place + 1])

    def _gather_mapped(self, places: np.ndarray, array: Array, rows: np.ndarray) -> None:
        shards, numbers = self._shard[places], self._row[places]
        for number in np.unique(shards):
            mine = np.flatnonzero(shards == number)
            rows[mine] = self._map(self._path(number, array))[numbers[mine]]

    def _read_rows(self, number: int, start: int, array: Array, rows: np.ndarray) -> None:
        """Fill ``rows`` with a shard's from ``start`` on."""
        path = self._path(number, array)
        if path not in self._files:
            check_file(path, self.manifest["files"], self.folder / MANIFEST)
            self._files[path] = os.open(path, os.O_RDONLY)
        view, offset = memoryview(rows.reshape(-1).view(np.uint8)), HEADER_BYTES + int(start) * array.row_bytes
        while view:
            read = os.preadv(self._files[path], [view], offset)
            if read == 0:
                raise UserError(f"{path} ends early; delete {self.folder / MANIFEST} and have snakemake make it again")
            view, offset = view[read:], offset + read

    def _map(self, path: Path) -> np.ndarray:
        if path not in self._maps:
            check_file(path, self.manifest["files"], self.folder / MANIFEST)
            self._maps[path] = np.load(path, mmap_mode="r")
        return self._maps[path]
