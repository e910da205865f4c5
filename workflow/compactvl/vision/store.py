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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    AGAIN,
    HEADER_BYTES,
    ArrayFile,
    check_array,
    is_whole,
    read_array,
    read_records,
    remove_shard,
    shard_name,
    write_shard_record,
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
        images: id → SHA-256 of all images the finished store is to hold. ``None``: whatever is appended, and nothing
            of an earlier run is kept.
        dataset: name and further facts of the data set, for the manifest.
        shard_bytes: size of tokens at which a shard is closed. Batches are never split between shards.

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
        images: Mapping[str, str] | None = None,
        dataset: Mapping[str, Any] | None = None,
        shard_bytes: int = 512_000_000,
    ) -> None:
        self.folder, self.shape, self.pooled_dim, self.storage = Path(folder), tuple(shape), pooled_dim, storage
        self.encoder_facts, self.dataset, self.shard_bytes = dict(encoder_facts), dict(dataset or {}), shard_bytes
        self._digest = digest_of([self.encoder_facts, list(self.shape), pooled_dim, storage])
        self._images = None if images is None else dict(images)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(self.folder, error) from error
        (self.folder / MANIFEST).unlink(missing_ok=True)
        self._records = self._keep()
        self._number = 0
        self._open: list[ArrayFile] = []
        self._ids: list[str] = []
        self._hashes: list[str] = []
        self._stored = {image_id for record in self._records.values() for image_id, _ in record["images"]}
        self._reopen_shard()
        self.missing = [image_id for image_id in self._images or {} if image_id not in self._stored]

    def __enter__(self) -> "TokenWriter":
        return self

    def __exit__(self, kind: type | None, *exc: object) -> None:
        self.close_shard(full=kind is None)

    def append(self, ids: Sequence[str], tokens: np.ndarray, pooled: np.ndarray, image_sha256s: Sequence[str]) -> None:
        """Add a batch.

        Args:
            ids: B image ids, none of them in the store yet.
            tokens: float32 or float16 (B, T, D).
            pooled: float32 (B, P).
            image_sha256s: B hashes of the images' bytes.

        Raises:
            UserError: values the storage cannot hold, or the disk is full.
            ValueError: shapes or ids that contradict the writer's.
        """
        if tokens.shape != (len(ids), *self.shape) or pooled.shape != (len(ids), self.pooled_dim):
            raise ValueError(f"got tokens {tokens.shape} and pooled {pooled.shape} for {len(ids)} ids")
        if len(set(ids)) != len(ids) or not self._stored.isdisjoint(ids):
            raise ValueError("an image is appended twice")
        payload, scales = codec.encode(tokens, self.storage)
        if not self._open:
            self._open_shard()
        arrays = [payload, *([] if scales is None else [scales]), pooled]
        try:
            for file, rows in zip(self._open, arrays, strict=True):
                file.append(rows)
        except UserError:
            for file in self._open:
                file.keep(len(self._ids))
            raise
        self._ids += ids
        self._hashes += image_sha256s
        self._stored.update(ids)
        if self._open[0].rows * self._row_bytes >= self.shard_bytes:
            self.close_shard()

    def close_shard(self, full: bool = True) -> None:
        """Finish the open shard, if any; its rows then survive whatever happens.

        Args:
            full: nothing is to be added to it later.
        """
        opened, ids, hashes = self._open, self._ids, self._hashes
        self._open, self._ids, self._hashes = [], [], []
        try:
            for file in opened if ids else ():
                file.finish()
            if ids:
                self._records[self._number] = write_shard_record(
                    self.folder, self._number, self._digest, ids, hashes, full
                )
        except UserError:
            # Half a shard is no use to the next run, and its space may be.
            remove_shard(self.folder, self._number)
            raise
        finally:
            for file in opened:
                file.discard()

    def finish(self, made: Made, device: str = "cpu") -> Path:
        """Write pooled vectors, index and manifest; return the manifest's path.

        Args:
            made: what the tokens were made from. device: on what.

        Raises:
            UserError: images of ``images`` were never appended, or the store is empty.
        """
        self.close_shard()
        absent = [image_id for image_id in self._images or {} if image_id not in self._stored]
        if absent:
            raise UserError(f"{self.folder}: {len(absent)} images not encoded, e.g. {absent[0]!r}; run encode again")
        if not self._records:
            raise UserError(f"{self.folder}: no image to store; the data set is empty")
        numbers = sorted(self._records)
        index = pd.DataFrame(
            [
                (image_id, number, row, digest)
                for number in numbers
                for row, (image_id, digest) in enumerate(self._records[number]["images"])
            ],
            columns=["image_id", "shard", "row", "image_sha256"],
        ).astype({"shard": "int32", "row": "int32"})
        with atomic_path(self.folder / "index.parquet") as temporary:
            index.to_parquet(temporary, index=False)
        pooled = ArrayFile(self.folder / "pooled.npy", (self.pooled_dim,), np.dtype("<f4"))
        try:
            for number in numbers:
                pooled.append(read_array(self.folder / f"{shard_name(number)}.pooled.npy"))
            pooled.finish()
        finally:
            pooled.discard()
        files = {name: digest for number in numbers for name, digest in self._records[number]["files"].items()}
        for name in ("pooled.npy", "index.parquet", *(f"{shard_name(number)}.json" for number in numbers)):
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
            shards={str(number): self._records[number]["rows"] for number in numbers},
            bytes=self._bytes(len(index), numbers),
        )

    @property
    def _row_bytes(self) -> int:
        return self.shape[0] * codec.token_bytes(self.shape[1], self.storage)

    def _keep(self) -> dict[int, dict[str, Any]]:
        """Return the records of the shards that still hold; remove every other file of a shard."""
        kept = {}
        for number, record in read_records(self.folder).items():
            wanted = self._images is not None and dict(record["images"]).items() <= self._images.items()
            if wanted and record["encoder_digest"] == self._digest and is_whole(self.folder, record):
                kept[number] = record
        for path in [*self.folder.glob("shard-*"), *self.folder.glob(".*.part")]:
            stem = path.name.split(".")[0].removeprefix("shard-")
            if not (stem.isdigit() and int(stem) in kept):
                path.unlink()
        return kept

    def _open_shard(self) -> None:
        # The first number that is free: a store whose damaged shard is encoded again is the same as before.
        self._number = next(number for number in itertools.count() if number not in self._records)
        remove_shard(self.folder, self._number)
        for path, row_shape, dtype in self._arrays(self._number):
            self._open.append(ArrayFile(path, row_shape, dtype))

    def _reopen_shard(self) -> None:
        """Go on in the shard that an interrupted run put aside, if any."""
        aside = [number for number, record in self._records.items() if record.get("full") is False]
        for number in aside[:1]:
            record, self._number = self._records.pop(number), number
            (self.folder / f"{shard_name(number)}.json").unlink()
            for path, row_shape, dtype in self._arrays(number):
                self._open.append(ArrayFile(path, row_shape, dtype, record["rows"]))
            self._ids, self._hashes = map(list, zip(*record["images"], strict=True))

    def _arrays(self, number: int) -> list[tuple[Path, tuple[int, ...], np.dtype]]:
        """Return path, row shape and number format of each array of a shard."""
        stem, (length, width) = self.folder / shard_name(number), self.shape
        arrays = [(f"{stem}.npy", (length, width), codec.PAYLOAD_DTYPES[self.storage])]
        if self.storage != "fp16":
            arrays.append((f"{stem}.scales.npy", (length,), np.dtype("<f2")))
        arrays.append((f"{stem}.pooled.npy", (self.pooled_dim,), np.dtype("<f4")))
        return [(Path(name), row_shape, dtype) for name, row_shape, dtype in arrays]

    def _bytes(self, images: int, numbers: Sequence[int]) -> dict[str, int]:
        scaled = self.storage != "fp16"
        return {
            "tokens": images * self.shape[0] * self.shape[1] * codec.PAYLOAD_DTYPES[self.storage].itemsize,
            "scales": images * self.shape[0] * 2 if scaled else 0,
            "headers": HEADER_BYTES * (len(numbers) * (3 if scaled else 2) + 1),
            "pooled": 2 * images * self.pooled_dim * 4,
            "index": (self.folder / "index.parquet").stat().st_size,
            "records": sum((self.folder / f"{shard_name(number)}.json").stat().st_size for number in numbers),
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
        self._place = {image_id: place for place, image_id in enumerate(self.ids)}
        self._shard, self._row = index["shard"].to_numpy(), index["row"].to_numpy()
        self._rows = {int(number): rows for number, rows in manifest["shards"].items()}
        self._memory_map = memory_map
        self._maps: dict[Path, np.ndarray] = {}
        self._files: dict[Path, int] = {}
        self._unchecked: set[str] = set()
        self._pooled: np.ndarray | None = None

    @classmethod
    def open(cls, folder: str | Path, verify: bool | str = True, memory_map: bool | None = None) -> "TokenStore":
        """Open a store.

        Args:
            folder: the store.
            verify: ``True`` checks index, sizes and headers now and each other file's hash when it is first read;
                ``"full"`` all of it now; ``False`` nothing.
            memory_map: how rows are read; ``None`` maps stores up to :data:`MEMORY_MAP_SHARE` of the memory.

        Raises:
            UserError: unfinished, incomplete or damaged.
        """
        folder = Path(folder)
        manifest = read_manifest(folder, "encode")
        if verify:
            check_file(folder / "index.parquet", manifest["files"], folder / MANIFEST)
        try:
            index = pd.read_parquet(folder / "index.parquet")
        except (OSError, ValueError) as error:
            raise UserError(f"{folder / 'index.parquet'} cannot be read ({error}); {AGAIN}") from error
        if memory_map is None:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            memory_map = manifest["bytes"]["tokens"] + manifest["bytes"]["scales"] <= MEMORY_MAP_SHARE * memory
        store = cls(folder, manifest, index, memory_map)
        if verify:
            store._unchecked = {name for name in manifest["files"] if name.endswith(".npy")}
            store._check(index)
        if verify == "full":
            for name in manifest["files"]:
                check_file(folder / name, manifest["files"], folder / MANIFEST)
            store._unchecked.clear()
        return store

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
        payload = self._gather(places, "", self.shape, codec.PAYLOAD_DTYPES[self.storage])
        scales = None
        if self.storage != "fp16":
            scales = self._gather(places, ".scales", self.shape[:1], np.dtype("<f2"))
        return codec.decode(payload, scales, self.storage)

    def blocks(self, size: int) -> Iterator[tuple[list[str], np.ndarray]]:
        """Yield the whole store in storage order, by contiguous reads.

        Args:
            size: images a block; the last of each shard may be smaller.

        Yields:
            Ids and float16 tokens (B, T, D) in memory of their own.
        """
        place = 0
        for number in sorted(self._rows):
            stem, rows = shard_name(number), self._rows[number]
            for start in range(0, rows, size):
                count = min(size, rows - start)
                payload = self._rows_of(f"{stem}.npy", start, count, self.shape, codec.PAYLOAD_DTYPES[self.storage])
                scales = None
                if self.storage != "fp16":
                    scales = self._rows_of(f"{stem}.scales.npy", start, count, self.shape[:1], np.dtype("<f2"))
                yield self.ids[place : place + count], codec.decode(payload, scales, self.storage)
                place += count

    def pooled(self, ids: Iterable[str] | None = None) -> np.ndarray:
        """Return pooled vectors, float32 (B, P): of ``ids``, or of all images in storage order."""
        if self._pooled is None:
            self._check_content(self.folder / "pooled.npy")
            self._pooled = read_array(self.folder / "pooled.npy")
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

    def _check(self, index: pd.DataFrame) -> None:
        rows = [(number, row) for number in sorted(self._rows) for row in range(self._rows[number])]
        listed = list(zip(self._shard.tolist(), self._row.tolist(), strict=True))
        if len(index) != self.manifest["count"] or listed != rows or len(self._place) != len(index):
            raise UserError(f"{self.folder / 'index.parquet'} does not list what its manifest counts; {AGAIN}")
        for number, count in self._rows.items():
            stem = shard_name(number)
            check_array(self.folder / f"{stem}.npy", (count, *self.shape), codec.PAYLOAD_DTYPES[self.storage])
            if self.storage != "fp16":
                check_array(self.folder / f"{stem}.scales.npy", (count, self.shape[0]), np.dtype("<f2"))
        check_array(self.folder / "pooled.npy", (len(index), self.pooled_dim), np.dtype("<f4"))

    def _check_content(self, path: Path) -> None:
        """Hash a file when it is first read."""
        if path.name in self._unchecked:
            check_file(path, self.manifest["files"], self.folder / MANIFEST)
            self._unchecked.discard(path.name)

    def _gather(self, places: np.ndarray, kind: str, row_shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Read rows by random access; ``kind`` is the file's suffix before ``.npy``."""
        rows = np.empty((len(places), *row_shape), dtype)
        shards, numbers = self._shard[places], self._row[places]
        if self._memory_map:
            for number in np.unique(shards):
                mine = np.flatnonzero(shards == number)
                path = self.folder / f"{shard_name(number)}{kind}.npy"
                rows[mine] = self._map(path, (self._rows[int(number)], *row_shape), dtype)[numbers[mine]]
            return rows
        length = int(np.prod(row_shape)) * dtype.itemsize
        flat = rows.view(np.uint8).reshape(len(places), length)
        for place in np.lexsort((numbers, shards)):
            path = self.folder / f"{shard_name(shards[place])}{kind}.npy"
            self._read_into(path, flat[place], HEADER_BYTES + int(numbers[place]) * length)
        return rows

    def _rows_of(self, name: str, start: int, count: int, row_shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        rows = np.empty((count, *row_shape), dtype)
        row_bytes = rows.nbytes // count
        self._read_into(self.folder / name, rows.reshape(-1).view(np.uint8), HEADER_BYTES + start * row_bytes)
        return rows

    def _read_into(self, path: Path, buffer: np.ndarray, offset: int) -> None:
        handle = self._files.get(path)
        if handle is None:
            self._check_content(path)
            try:
                handle = self._files[path] = os.open(path, os.O_RDONLY)
            except OSError as error:
                raise UserError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
        view = memoryview(buffer)
        while view:
            read = os.preadv(handle, [view], offset)
            if read == 0:
                raise UserError(f"{path} ends early; {AGAIN}")
            view, offset = view[read:], offset + read

    def _map(self, path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        if path not in self._maps:
            self._check_content(path)
            try:
                self._maps[path] = np.memmap(path, dtype, "r", HEADER_BYTES, shape)
            except (OSError, ValueError) as error:
                raise UserError(f"{path} cannot be read ({error}); {AGAIN}") from error
        return self._maps[path]
