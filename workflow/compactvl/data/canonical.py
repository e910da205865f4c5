"""Canonical data sets: images and items as Parquet tables, one form for every benchmark.

    <folder>/images-00000.parquet ...   image_id, image {bytes, path}, sha256, split, meta (JSON); no rows in a set of texts
    <folder>/items.parquet              one row an item; columns by task (docs/architecture.md)
    <folder>/manifest.json              hashes of both, settings, inputs: written last
    <folder>/provenance.json            seconds, versions

Image shards load in Hugging Face ``datasets`` with an Image column.
"""

import itertools
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from compactvl.errors import UserError
from compactvl.files import atomic_path, digest_of, sha256_bytes, sha256_file
from compactvl.records.intact import check_file, check_files
from compactvl.records.record import MANIFEST, Made, write

STAGE = "curate"
SHARD_BYTES = 256 << 20
ROWS_A_GROUP = 64
LENGTH_BYTES = 4
TEXTS = ("image_id", "sha256", "split", "meta")
COLUMNS = ("image_id", "image", *TEXTS[1:])
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
FEATURES = {name: {"dtype": "string", "_type": "Value"} if name in TEXTS else {"_type": "Image"} for name in COLUMNS}
SCHEMA = pa.schema(
    [(name, pa.string() if name in TEXTS else IMAGE_TYPE) for name in COLUMNS],
    metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
)


@dataclass(frozen=True)
class ImageRow:
    """One image: ``data`` are the encoded bytes (PNG or JPEG), ``meta`` is JSON."""

    image_id: str
    data: bytes
    split: str
    meta: str = "{}"


def write_set(
    folder: str | Path,
    name: str,
    images: Iterable[ImageRow],
    items: pd.DataFrame,
    made: Made,
    *,
    settings: Mapping[str, Any],
    shard_bytes: int = SHARD_BYTES,
    text_only: bool = False,
    images_of: str | None = None,
    **facts: Any,
) -> None:
    """Write a data set; the manifest comes last, so a folder with one is complete.

    Args:
        images: rows in storage order; taken one at a time.
        items: the items table; an ``image_id`` column must name only images of the set.
        shard_bytes: image bytes after which a new shard begins.
        text_only: a set without images of its own: its one image shard has no rows.
        images_of: name of the data set whose images the items name (or of where they are); they are not looked up here.
        facts: further deterministic facts for the manifest.

    Raises:
        UserError: a repeated image id, an item of an unknown image, no images, or a full disk.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    paths, table = _write_shards(folder, images, shard_bytes)
    hashes = {image_id: digest for image_id, digest, _, _ in table}
    if text_only:
        paths = [folder / "images-00000.parquet"]
        with atomic_path(paths[0]) as temporary:
            pq.write_table(SCHEMA.empty_table(), temporary)
    elif not hashes:
        raise UserError(f"data set {name!r} has no images; check its settings")
    if items.empty:
        raise UserError(f"data set {name!r} has no items; check its settings")
    _check_items(name, items, None if text_only else hashes)
    with atomic_path(folder / "items.parquet") as temporary:
        frame = pa.Table.from_pandas(items.reset_index(drop=True), preserve_index=False).replace_schema_metadata(None)
        pq.write_table(frame, temporary, compression="zstd")
    for stale in set(folder.glob("images-*.parquet")) - set(paths):
        stale.unlink()
    files = {path.name: sha256_file(path) for path in [*paths, folder / "items.parquet"]}
    splits = items["split"].tolist() if text_only else [split for _, _, split, _ in table]
    write(
        folder / MANIFEST,
        made,
        files,
        name=name,
        settings=dict(settings),
        images=len(hashes),
        items=len(items),
        splits={split: splits.count(split) for split in sorted(set(splits))},
        images_sha256=digest_of(hashes),
        table_sha256=digest_of(table),
        **({"images_of": images_of} if images_of else {}),
        **facts,
    )


def _check_items(name: str, items: pd.DataFrame, known: Mapping[str, str] | None) -> None:
    columns = [column for column in ("image_id", "image_0", "image_1") if column in items.columns]
    for column in columns if known is not None else ():
        unknown = sorted(set(items[column]) - set(known))
        if unknown:
            raise UserError(
                f"data set {name!r}: items name {len(unknown)} unknown images, e.g. {unknown[0]!r}; check the captions"
            )
    if not items["item_id"].is_unique:
        repeated = items["item_id"][items["item_id"].duplicated()].iloc[0]
        raise UserError(f"data set {name!r}: item id {repeated!r} occurs twice; make ids unique")


def _write_shards(folder: Path, images: Iterable[ImageRow], shard_bytes: int) -> tuple[list[Path], list[list[str]]]:
    """Write image rows into shards of about ``shard_bytes``, each moved into place when full.

    Returns:
        The shards, and each row but for its bytes: image_id, sha256, split, meta.
    """
    paths, table, known, rows = [], [], set(), iter(images)
    for first in rows:
        paths.append(folder / f"images-{len(paths):05d}.parquet")
        group, size = [], 0
        with (
            atomic_path(paths[-1]) as temporary,
            pq.ParquetWriter(temporary, SCHEMA, compression="NONE", use_dictionary=False) as writer,
        ):
            for row in itertools.chain([first], rows):
                if row.image_id in known:
                    raise UserError(f"{folder.name}: image id {row.image_id!r} occurs twice; make ids unique")
                known.add(row.image_id)
                table.append([row.image_id, sha256_bytes(row.data), row.split, row.meta])
                image = {"bytes": row.data, "path": row.image_id}
                group.append({**dict(zip(TEXTS, table[-1], strict=True)), "image": image})
                size += len(row.data)
                if len(group) == ROWS_A_GROUP or size >= shard_bytes:
                    writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
                    group = []
                if size >= shard_bytes:
                    break
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema=SCHEMA))
    return paths, table


def _read_table(folder: Path, shards: list[str]) -> tuple[pd.DataFrame, dict[str, tuple[str, int, int]]]:
    """Return the images' table without bytes, and each image's shard, row group and row."""
    tables, places = [], {}
    for name in shards:
        file = pq.ParquetFile(folder / name)
        tables.append(file.read(columns=list(TEXTS)))
        ids = iter(tables[-1].column("image_id").to_pylist())
        for group in range(file.num_row_groups):
            for row in range(file.metadata.row_group(group).num_rows):
                places[next(ids)] = (name, group, row)
    return pa.concat_tables(tables).replace_schema_metadata(None).to_pandas(), places


class CanonicalSet:
    """A data set on disk; ``images`` is the table without bytes: image_id, sha256, split, meta (JSON), as stored."""

    def __init__(
        self, folder: Path, manifest: dict[str, Any], images: pd.DataFrame, items: pd.DataFrame, places: dict
    ) -> None:
        self.folder, self.manifest, self.images, self.items = folder, manifest, images, items
        self.name: str = manifest["name"]
        self._places: dict[str, tuple[str, int, int]] = places
        self._hashes: dict[str, str] = dict(zip(images["image_id"], images["sha256"], strict=True))
        self._ranges = cache(self._locate)

    @classmethod
    def open(cls, folder: str | Path) -> "CanonicalSet":
        """Open a data set; all but the images' bytes is checked against the manifest now, an image when it is read.

        Raises:
            UserError: not there, unfinished, or changed since it was written.
        """
        folder = Path(folder)
        manifest = check_files(folder, "items.parquet", stage=STAGE)
        shards = sorted(file for file in manifest["files"] if file.startswith("images-"))

        def check_shards() -> None:
            for name in shards:
                check_file(folder / name, manifest["files"], folder / MANIFEST)

        try:
            images, places = _read_table(folder, shards)
        except Exception:  # whatever a damaged Parquet file provokes
            check_shards()
            raise
        if digest_of(images.to_numpy().tolist()) != manifest.get("table_sha256"):
            check_shards()
        return cls(folder, manifest, images, pq.read_table(folder / "items.parquet").to_pandas(), places)

    def __len__(self) -> int:
        return len(self.images)

    def split(self, name: str) -> pd.DataFrame:
        """Return the items of one split."""
        return self.items[self.items["split"] == name].reset_index(drop=True)

    @property
    def text_column(self) -> str:
        """Name of the column that holds the texts: ``text``, or ``caption`` of captioned images."""
        return "text" if "text" in self.items.columns else "caption"

    def image_bytes(self, image_id: str) -> bytes:
        """Return an image's encoded bytes, checked against the hash the set was written with; from any thread.

        Raises:
            UserError: unknown id, or the shard differs from its manifest.
        """
        if image_id not in self._places:
            raise UserError(
                f"data set {self.name!r} has no image {image_id!r}; an id looks like {next(iter(self._places))!r}"
            )
        name, group, row = self._places[image_id]
        try:
            data = _read(self.folder / name, *self._ranges(name, group)[row])
            if sha256_bytes(data) != self._hashes[image_id]:
                raise ValueError(f"{name}: image {image_id!r} is not as it was written")
        except Exception:  # whatever a damaged Parquet file provokes
            check_file(self.folder / name, self.manifest["files"], self.folder / MANIFEST)
            raise
        return data

    def _locate(self, name: str, group: int) -> list[tuple[int, int]]:
        """Where in the shard's file each image of a row group begins, and how many bytes it has.

        The images are neither compressed nor encoded, so the bytes Arrow gives stand in the file as they are, each behind
        its length.
        """
        path = self.folder / name
        with pq.ParquetFile(path) as file:
            images = file.read_row_group(group, columns=["image.bytes"]).column("image").to_pylist()
            column = file.metadata.row_group(group).column(SCHEMA.get_field_index("image"))
        start, place, found = column.data_page_offset, 0, []
        chunk = _read(path, start, column.total_compressed_size)
        for data in (image["bytes"] for image in images):
            if not chunk.startswith(data, place):
                place = chunk.index(data, place)
            found.append((start + place, len(data)))
            place += len(data) + LENGTH_BYTES
        return found


def _read(path: Path, start: int, length: int) -> bytes:
    with path.open("rb", buffering=0) as file:
        return os.pread(file.fileno(), length, start)
