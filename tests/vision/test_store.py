"""The token store: round trips, resuming, appending, and what it says about damage."""

import json
from pathlib import Path

import numpy as np
import pytest

from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records.intact import check_made
from compactvl.records.record import Made
from compactvl.vision import codec
from compactvl.vision.inspect import info
from compactvl.vision.store import TokenStore, TokenWriter

SHAPE, POOLED = (5, 12), 6
MADE = Made("encode", "")
FACTS = {"name": "e", "model": "m", "weights_sha256": "0" * 64}


def vectors(ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and pooled vectors that depend on the id alone."""
    draw = [np.random.default_rng(int(image_id[1:])) for image_id in ids]
    tokens = np.stack([random.normal(0, 2, SHAPE) for random in draw]).astype(np.float32)
    return tokens, tokens[:, 0, :POOLED].copy()


def names(count: int) -> dict[str, str]:
    return {f"i{k}": f"{k:064d}" for k in range(count)}


def writer(folder: Path, images: dict[str, str], storage: str = "fp16", **changes) -> TokenWriter:
    options = {
        "batch": 4,
        "shape": SHAPE,
        "pooled_dim": POOLED,
        "encoder_facts": FACTS,
        "shard_bytes": 10 * 5 * 12 * 2,
    } | changes
    return TokenWriter(folder, storage=storage, images=images, dataset={"name": "d"}, **options)


def fill(folder: Path, images: dict[str, str], storage: str = "fp16", batch: int = 4, **changes) -> list[str]:
    """Write what is missing; return the ids that were written."""
    with writer(folder, images, storage, **({"batch": batch} | changes)) as target:
        done = list(target.missing)
        for start in range(0, len(done), batch):
            ids = done[start : start + batch]
            target.append(ids, *vectors(ids))
    target.finish(MADE)
    return done


@pytest.mark.parametrize("storage", ["fp16", "int8", "fp8"])
@pytest.mark.parametrize("memory_map", [True, False])
def test_round_trip(storage: str, memory_map: bool, tmp_path) -> None:
    images = names(33)
    fill(tmp_path, images, storage)
    with TokenStore.open(tmp_path, memory_map=memory_map) as store:
        assert (store.ids, store.shape, store.storage, len(store)) == (list(images), SHAPE, storage, 33)
        assert len(store.manifest["shards"]) > 1
        tokens, pooled = vectors(store.ids)
        expected = codec.decode(*codec.encode(tokens, storage), storage)
        order = [*np.random.default_rng(0).permutation(33).tolist(), 4, 4]
        asked = [store.ids[i] for i in order]
        np.testing.assert_array_equal(store.read(asked), expected[order])
        np.testing.assert_array_equal(store.pooled(asked), pooled[order])
        np.testing.assert_array_equal(store.pooled(), pooled)
        assert store.read([]).shape == (0, *SHAPE)
        blocks = list(store.blocks(7))
        assert [i for ids, _ in blocks for i in ids] == store.ids
        np.testing.assert_array_equal(np.concatenate([block for _, block in blocks]), expected)
        store.read(asked)[:] = 0
        np.testing.assert_array_equal(store.read(asked), expected[order])


@pytest.mark.parametrize("storage", ["fp16", "int8", "fp8"])
def test_bytes_are_tokens_plus_documented_overhead(storage: str, tmp_path) -> None:
    fill(tmp_path, names(20), storage)
    store = TokenStore.open(tmp_path)
    listed = store.manifest["bytes"]
    assert listed["tokens"] == 20 * 5 * 12 * (2 if storage == "fp16" else 1)
    assert listed["scales"] == (0 if storage == "fp16" else 20 * 5 * 2)
    assert listed["pooled"] == 2 * 20 * POOLED * 4
    files = [path for path in tmp_path.iterdir() if path.name not in ("manifest.json", "provenance.json")]
    assert sum(path.stat().st_size for path in files) == sum(listed.values())
    assert set(store.manifest["files"]) == {path.name for path in files}
    assert store.nbytes_payload == 20 * 5 * codec.token_bytes(12, storage)


def test_same_data_same_manifest(tmp_path) -> None:
    for name in ("a", "b"):
        fill(tmp_path / name, names(20))
    assert (tmp_path / "a/manifest.json").read_bytes() == (tmp_path / "b/manifest.json").read_bytes()


def test_arrays_are_plain_npy(tmp_path) -> None:
    fill(tmp_path, names(9))
    tokens, pooled = vectors(list(names(9)))
    np.testing.assert_array_equal(np.load(tmp_path / "shard-00000.npy", mmap_mode="r"), tokens.astype(np.float16))
    np.testing.assert_array_equal(np.load(tmp_path / "pooled.npy"), pooled)


@pytest.mark.parametrize("storage", ["fp16", "int8"])
@pytest.mark.parametrize("batches", [1, 3, 4, 7])
def test_an_interrupted_store_ends_as_an_undisturbed_one(batches: int, storage: str, tmp_path) -> None:
    images = names(30)
    fill(tmp_path / "whole", images, storage)

    def interrupted() -> None:
        with writer(tmp_path / "cut", images, storage) as target:
            for start in range(0, 4 * batches, 4):
                ids = target.missing[start : start + 4]
                target.append(ids, *vectors(ids))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    # Interrupted once more before it does anything.
    with pytest.raises(KeyboardInterrupt), writer(tmp_path / "cut", images, storage):
        raise KeyboardInterrupt
    assert fill(tmp_path / "cut", images, storage) == list(images)[4 * batches :]
    made = [path.name for path in (tmp_path / "whole").iterdir() if path.name != "provenance.json"]
    assert sorted(path.name for path in (tmp_path / "cut").iterdir()) == sorted([*made, "provenance.json"])
    for name in made:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_interrupted_writing_resumes(tmp_path) -> None:
    images = names(30)

    def interrupted() -> None:
        with writer(tmp_path, images) as target:
            for start in (0, 4, 8, 12):
                ids = target.missing[start : start + 4]
                target.append(ids, *vectors(ids))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(UserError, match="has not finished"):
        TokenStore.open(tmp_path)
    assert fill(tmp_path, images) == list(images)[16:]
    store = TokenStore.open(tmp_path)
    np.testing.assert_array_equal(store.read(images), vectors(list(images))[0].astype(np.float16))


@pytest.mark.parametrize("count", [8, 9, 40])
def test_an_interrupted_shard_goes_on_with_other_images(count: int, tmp_path) -> None:
    """Its length was planned for other images; those that are there already are kept."""
    target = writer(tmp_path, names(30))
    for start in (0, 4):
        target.append(target.missing[start : start + 4], *vectors(target.missing[start : start + 4]))
    target.__exit__(KeyboardInterrupt)
    assert fill(tmp_path, names(count)) == list(names(count))[8:]
    store = TokenStore.open(tmp_path)
    tokens = [np.load(path) for path in sorted(tmp_path.glob("shard-?????.npy"))]
    np.testing.assert_array_equal(np.concatenate(tokens), store.read(names(count)))
    np.testing.assert_array_equal(store.read(names(count)), vectors(list(names(count)))[0].astype(np.float16))


def test_killed_writing_drops_only_the_open_shard(tmp_path) -> None:
    images = names(30)
    target = writer(tmp_path, images)
    for start in (0, 4, 8, 12):
        ids = target.missing[start : start + 4]
        target.append(ids, *vectors(ids))
    assert fill(tmp_path, images) == list(images)[12:]
    assert list(tmp_path.glob(".*")) == []


def test_appending_keeps_old_shards(tmp_path) -> None:
    fill(tmp_path, names(20))
    old = {path.name: sha256_file(path) for path in tmp_path.glob("shard-*")}
    assert fill(tmp_path, names(26)) == [f"i{k}" for k in range(20, 26)]
    assert {name: sha256_file(tmp_path / name) for name in old} == old
    store = TokenStore.open(tmp_path)
    assert store.ids == list(names(26))
    assert fill(tmp_path, names(26)) == []


def test_changes_drop_shards(tmp_path) -> None:
    images = names(24)
    fill(tmp_path, images)
    per_shard = json.loads((tmp_path / "shard-00000.json").read_text())["rows"]
    changed = images | {"i1": "f" * 64}
    assert sorted(fill(tmp_path, changed), key=lambda i: int(i[1:])) == list(images)[:per_shard]
    removed = {key: value for key, value in changed.items() if key != "i23"}
    fill(tmp_path, removed)
    assert set(TokenStore.open(tmp_path).ids) == set(removed)
    for change in ({"encoder_facts": FACTS | {"precision": "bf16"}}, {"storage": "int8"}):
        assert len(fill(tmp_path, removed, **change)) == len(removed)
    assert TokenStore.open(tmp_path).storage == "int8"
    fill(tmp_path, removed)
    assert not list(tmp_path.glob("*.scales.npy"))


def read_all(store: TokenStore) -> None:
    store.read(store.ids)
    store.pooled()


def read_blocks(store: TokenStore) -> None:
    for _ in store.blocks(8):
        pass
    store.pooled()


@pytest.mark.parametrize("name", ["shard-00000.npy", "shard-00001.scales.npy", "pooled.npy", "shard-00000.pooled.npy"])
def test_a_corrupted_byte_is_found(name: str, tmp_path) -> None:
    fill(tmp_path, names(24), "int8", shard_bytes=500)
    data = bytearray((tmp_path / name).read_bytes())
    data[-3] ^= 0x10
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=name):
        check_made(tmp_path / "manifest.json")
    # Nobody reads a shard's own pooled vectors but the writer.
    if name != "shard-00000.pooled.npy":
        for memory_map in (True, False):
            with TokenStore.open(tmp_path, memory_map=memory_map) as store, pytest.raises(UserError, match=name):
                read_all(store)
        with TokenStore.open(tmp_path) as store, pytest.raises(UserError, match=name):
            read_blocks(store)
    data[-3] ^= 0x10
    (tmp_path / name).write_bytes(data)
    check_made(tmp_path / "manifest.json")


@pytest.mark.parametrize("name", ["shard-00001.npy", "shard-00001.pooled.npy", "shard-00001.scales.npy"])
def test_a_damaged_shard_is_encoded_again_and_the_store_is_as_before(name: str, tmp_path, caplog) -> None:
    images = names(24)
    fill(tmp_path, images, "int8", shard_bytes=500)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "provenance.json"}
    inside = json.loads(before["shard-00001.json"])["images"]
    (tmp_path / name).write_bytes(before[name][:-3] + bytes([before[name][-3] ^ 1]) + before[name][-2:])
    assert fill(tmp_path, images, "int8", shard_bytes=500) == [image_id for image_id, _ in inside]
    assert f"{name} is missing or damaged" in caplog.text
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "provenance.json"} == before


def test_a_record_whose_images_were_exchanged_keeps_no_shard(tmp_path) -> None:
    images = names(8)
    fill(tmp_path, images)
    path = tmp_path / "shard-00000.json"
    record = json.loads(path.read_text())
    record["images"][:2] = reversed(record["images"][:2])
    path.write_text(json.dumps(record))
    assert fill(tmp_path, images) == list(images)


@pytest.mark.parametrize("memory_map", [True, False])
def test_damaged_and_missing_files_are_named(memory_map: bool, tmp_path) -> None:
    fill(tmp_path, names(24))
    shard = tmp_path / "shard-00000.npy"
    whole = shard.read_bytes()
    for damaged in (whole[:-2], b"\x93NUMPX" + whole[6:]):
        shard.write_bytes(damaged)
        with pytest.raises(UserError, match=r"shard-00000\.npy differs from manifest"):
            TokenStore.open(tmp_path, memory_map=memory_map).read(["i0"])
    shard.unlink()
    with pytest.raises(UserError, match=r"shard-00000\.npy is missing"):
        TokenStore.open(tmp_path, memory_map=memory_map).read(["i0"])
    index = (tmp_path / "index.parquet").read_bytes()
    (tmp_path / "index.parquet").write_bytes(index[:100])
    with pytest.raises(UserError, match=r"index\.parquet"):
        TokenStore.open(tmp_path)


def test_a_file_that_ends_early_is_no_silent_zero(tmp_path) -> None:
    fill(tmp_path, names(8))
    store = TokenStore.open(tmp_path, memory_map=False)
    store.read(["i0"])
    shard = tmp_path / "shard-00000.npy"
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(UserError, match="ends early"):
        store.read(["i7"])


def test_wrong_calls(tmp_path) -> None:
    images = names(4)
    fill(tmp_path, images)
    with pytest.raises(UserError, match="no tokens of image 'stranger'"):
        TokenStore.open(tmp_path).read(["i0", "stranger"])
    with pytest.raises(UserError, match="no tokens of image"):
        TokenStore.open(tmp_path).pooled(["stranger"])
    target = writer(tmp_path / "new", images)
    with pytest.raises(UserError, match="4 images not encoded"):
        target.finish(MADE)
    with pytest.raises(UserError, match="data set is empty"):
        writer(tmp_path / "none", {}).finish(MADE)
    tokens, pooled = vectors(["i0", "i1"])
    with pytest.raises(ValueError, match="got tokens"):
        target.append(["i0"], tokens, pooled)
    with pytest.raises(ValueError, match="twice"):
        target.append(["i0", "i0"], tokens, pooled)
    with pytest.raises(ValueError, match="none of those"):
        target.append(["i0", "stranger"], tokens, pooled)
    small = writer(tmp_path / "small", names(8), batch=1, shard_bytes=3 * 5 * 12 * 2)
    with pytest.raises(ValueError, match="batch of 4 does not fit"):
        small.append(small.missing[:4], *vectors(small.missing[:4]))


def test_info(tmp_path) -> None:
    fill(tmp_path, names(24), "fp8")
    text = info(tmp_path)
    assert "5 x 12 an image, fp8" in text
    assert "24 in" in text
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(UserError):
        info(tmp_path)
