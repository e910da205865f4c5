"""Canonical data sets on disk."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.data.pixels import encode_png
from compactvl.errors import UserError
from compactvl.records.intact import check_made
from compactvl.records.record import MANIFEST, Made, read_manifest

MADE = Made("curate", "")


def picture(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return encode_png(Image.fromarray(pixels))


def rows(number: int) -> list[ImageRow]:
    return [ImageRow(f"i{n}", picture(n), "train" if n % 2 else "test") for n in range(number)]


def items(number: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"item_id": str(n), "image_id": f"i{n}", "split": "train" if n % 2 else "test", "caption": "x", "pos": ""}
            for n in range(number)
        ]
    )


def write(folder, number=150, **kwargs):
    write_set(folder, "mine", rows(number), items(number), made=MADE, settings={"a": 1}, **kwargs)


def read_all(dataset: CanonicalSet) -> list[bytes]:
    return [dataset.image_bytes(image_id) for image_id in dataset.images["image_id"]]


def change(shard: Path, column: str, values: Callable[[list], list]) -> None:
    """Write a shard anew with other values in one column; still a whole Parquet file."""
    table = pq.read_table(shard)
    index = table.schema.get_field_index(column)
    changed = pa.array(values(table.column(column).to_pylist()), table.schema.field(index).type)
    pq.write_table(table.set_column(index, table.schema.field(index), changed), shard)


def test_round_trip_in_several_shards(tmp_path):
    write(tmp_path / "mine", shard_bytes=30_000)
    done = CanonicalSet.open(tmp_path / "mine")
    assert len(list((tmp_path / "mine").glob("images-*.parquet"))) > 1
    assert done.name == "mine"
    assert len(done) == 150
    assert list(done.images["image_id"]) == [f"i{n}" for n in range(150)]
    order = np.random.default_rng(0).permutation(150)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(done.image_bytes, [f"i{n}" for n in order])) == [picture(n) for n in order]
    assert done.manifest["splits"] == {"test": 75, "train": 75}
    assert len(done.split("test")) == 75
    check_made(tmp_path / "mine" / MANIFEST)
    with pytest.raises(UserError, match="has no image 'nope'"):
        done.image_bytes("nope")


def test_hugging_face_reads_images(tmp_path):
    datasets = pytest.importorskip("datasets")
    write(tmp_path / "mine", 10)
    table = datasets.load_dataset(
        "parquet",
        data_files=str(tmp_path / "mine" / "images-*.parquet"),
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert isinstance(table.features["image"], datasets.Image)
    expected = np.asarray(Image.open(io.BytesIO(picture(7))))
    assert (np.asarray(table[7]["image"]) == expected).all()


def test_writing_again_is_the_same_and_drops_stale_shards(tmp_path):
    write(tmp_path / "a", shard_bytes=20_000)
    write(tmp_path / "a", 20)
    write(tmp_path / "b", 20)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()
    assert [p.name for p in sorted((tmp_path / "a").glob("*.parquet"))] == ["images-00000.parquet", "items.parquet"]


def test_a_shard_is_closed_by_the_image_that_fills_it(tmp_path):
    images = [ImageRow(f"i{n}", bytes(10), "train") for n in range(150)]
    write_set(tmp_path, "mine", images, items(150), made=MADE, settings={}, shard_bytes=1000)
    shards = [pq.ParquetFile(path) for path in sorted(tmp_path.glob("images-*.parquet"))]
    groups = [[file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)] for file in shards]
    assert groups == [[64, 36], [50]]


def test_damage_is_found(tmp_path):
    write(tmp_path / "mine", 10)
    for name in ("images-00000.parquet", "items.parquet"):
        path = tmp_path / "mine" / name
        good = path.read_bytes()
        middle = len(good) // 3
        path.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
        with pytest.raises(UserError, match=rf"{name} differs from manifest\.json"):
            read_all(CanonicalSet.open(tmp_path / "mine"))
        path.write_bytes(good)
    (tmp_path / "mine" / "images-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"images-00000\.parquet differs from manifest\.json"):
        CanonicalSet.open(tmp_path / "mine")


@pytest.mark.parametrize("column", ["image_id", "sha256", "split", "meta"])
def test_a_changed_images_table_is_found_before_an_image_is_read(column, tmp_path):
    write(tmp_path, 10)
    change(tmp_path / "images-00000.parquet", column, lambda values: [*values[:3], "i99", *values[4:]])
    with pytest.raises(UserError, match=r"images-00000\.parquet differs from manifest\.json"):
        CanonicalSet.open(tmp_path)


def test_exchanged_images_are_found_when_they_are_read(tmp_path):
    write(tmp_path, 10)
    change(tmp_path / "images-00000.parquet", "image", lambda values: [*values[5:], *values[:5]])
    with pytest.raises(UserError, match=r"images-00000\.parquet differs from manifest\.json"):
        CanonicalSet.open(tmp_path).image_bytes("i1")


def test_a_failure_between_two_images_leaves_nothing_open(tmp_path):
    def interrupted():
        yield from rows(100)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, "mine", interrupted(), items(100), made=MADE, settings={})
    assert list(tmp_path.iterdir()) == []


def test_bad_rows_are_refused_and_leave_no_manifest(tmp_path):
    with pytest.raises(UserError, match="image id 'i0' occurs twice"):
        write_set(tmp_path, "mine", rows(1) * 2, items(1), made=MADE, settings={})
    with pytest.raises(UserError, match=r"items name 1 unknown images, e\.g\. 'i1'"):
        write_set(tmp_path, "mine", rows(1), items(2), made=MADE, settings={})
    with pytest.raises(UserError, match="item id '0' occurs twice"):
        write_set(tmp_path, "mine", rows(1), pd.concat([items(1)] * 2), made=MADE, settings={})
    with pytest.raises(UserError, match="has no images"):
        write_set(tmp_path, "mine", [], items(1), made=MADE, settings={})
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        read_manifest(tmp_path)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]
