"""The encode stage on drawn images: what is stored is what the encoder gives, once an image, whatever happens."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from compactvl.errors import UserError
from compactvl.files import sha256_file
from compactvl.records.record import Made
from compactvl.vision import encode as stage
from compactvl.vision.registry import load_encoder
from compactvl.vision.store import TokenStore

MADE = Made("encode", "")
SEEDS = {f"p{k}": k for k in range(11)}


def test_tokens_equal_the_encoder(make_set, small_encoder, tmp_path) -> None:
    dataset = make_set(SEEDS)
    stage.encode("small", small_encoder, dataset, None, tmp_path / "tokens", MADE)
    encoder = load_encoder(small_encoder, device="cpu")
    store = TokenStore.open(tmp_path / "tokens")
    assert store.ids == list(SEEDS)
    assert store.shape == encoder.tokens_shape
    assert store.manifest["encoder"] == {"name": "small", **encoder.facts}
    assert store.manifest["dataset"] == {"name": "drawn"}
    for image_id in ("p0", "p5", "p10"):
        tokens, pooled = encoder(encoder.preprocess(dataset.image_bytes(image_id))[None])
        np.testing.assert_allclose(store.read([image_id]), tokens.numpy(), atol=2e-3, rtol=1e-3)
        np.testing.assert_allclose(store.pooled([image_id]), pooled.numpy(), atol=1e-5, rtol=1e-4)


def test_settings_reach_torch(make_set, small_encoder, tmp_path) -> None:
    torch.set_num_threads(2)
    stage.encode("small", small_encoder, make_set({"a": 1}), None, tmp_path / "tokens", MADE)
    assert torch.get_num_threads() == small_encoder.threads == 1


@pytest.mark.parametrize(("batch_size", "decode_threads"), [(1, 1), (3, 2), (64, 3)])
def test_batching_changes_nothing_but_rounding(batch_size, decode_threads, make_set, small_encoder, tmp_path) -> None:
    dataset = make_set(SEEDS)
    stage.encode("small", small_encoder, dataset, None, tmp_path / "a", MADE)
    other = small_encoder.model_copy(update={"batch_size": batch_size, "decode_threads": decode_threads})
    stage.encode("small", other, dataset, None, tmp_path / "b", MADE)
    a, b = TokenStore.open(tmp_path / "a"), TokenStore.open(tmp_path / "b")
    assert a.ids == b.ids
    np.testing.assert_allclose(a.read(a.ids), b.read(b.ids), atol=2e-3, rtol=2e-3)


def test_same_run_same_bytes_and_the_second_does_nothing(make_set, small_encoder, tmp_path, monkeypatch) -> None:
    dataset = make_set(SEEDS)
    for name in ("a", "b"):
        stage.encode("small", small_encoder, dataset, None, tmp_path / name, MADE)
    manifest = (tmp_path / "a/manifest.json").read_bytes()
    assert (tmp_path / "b/manifest.json").read_bytes() == manifest
    monkeypatch.setattr(stage, "encode_batch", lambda *_: pytest.fail("encoded again"))
    stage.encode("small", small_encoder, dataset, None, tmp_path / "a", MADE)
    assert (tmp_path / "a/manifest.json").read_bytes() == manifest


def test_interrupted_encoding_goes_on_with_the_same_batches(make_set, small_encoder, tmp_path, monkeypatch) -> None:
    dataset = make_set(SEEDS)
    stage.encode("small", small_encoder, dataset, None, tmp_path / "whole", MADE)
    real, calls = stage.encode_batch, []

    def fails_third(encoder, pixels):
        calls.append(len(pixels))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(encoder, pixels)

    monkeypatch.setattr(stage, "encode_batch", fails_third)
    with pytest.raises(KeyboardInterrupt):
        stage.encode("small", small_encoder, dataset, None, tmp_path / "cut", MADE)
    stage.encode("small", small_encoder, dataset, None, tmp_path / "cut", MADE)
    assert calls == [4, 4, 3, 3]
    whole, cut = (TokenStore.open(tmp_path / name) for name in ("whole", "cut"))
    assert whole.ids == cut.ids
    np.testing.assert_array_equal(whole.read(whole.ids), cut.read(cut.ids))


def test_added_images_are_appended(make_set, small_encoder, tmp_path) -> None:
    stage.encode("small", small_encoder, make_set(SEEDS), None, tmp_path / "tokens", MADE)
    old = sha256_file(tmp_path / "tokens/shard-00000.npy")
    stage.encode("small", small_encoder, make_set({"first": 99, **SEEDS, "last": 98}), None, tmp_path / "tokens", MADE)
    store = TokenStore.open(tmp_path / "tokens")
    assert store.ids == [*SEEDS, "first", "last"]
    assert sha256_file(tmp_path / "tokens/shard-00000.npy") == old


def test_bad_images_are_named(make_set, small_encoder) -> None:
    dataset = make_set(SEEDS)
    encoder = load_encoder(small_encoder, device="cpu")
    bad = SimpleNamespace(
        image_bytes=lambda image_id: b"rubbish" if image_id == "p7" else dataset.image_bytes(image_id)
    )
    given = []
    with pytest.raises(UserError, match="'p7': image cannot be decoded"):
        given.extend(ids for ids, _ in stage.batches(bad, list(SEEDS), encoder.preprocess, small_encoder))
    assert given == [["p0", "p1", "p2", "p3"]]


def test_real_photographs(samples, small_encoder, tmp_path) -> None:
    from PIL import Image

    photos = sorted(samples.rglob("*.jpg"))[:5]
    if not photos:
        pytest.skip("no photographs among the samples")
    encoder = load_encoder(small_encoder, device="cpu")
    arrays = [encoder.preprocess(photo.read_bytes()) for photo in photos]
    assert all(array.shape == (3, 64, 64) and array.std() > 0 for array in arrays)
    assert Image.open(photos[0]).size != (64, 64)
