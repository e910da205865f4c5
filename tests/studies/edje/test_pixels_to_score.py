"""From pixels to a ranking with the real encoder and tokenizer; the joint encoder has random weights."""

import io
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageDraw

from compactvl.config.encoders import PackagedEncoder, WeightsSettings
from compactvl.errors import UserError
from compactvl.files import sha256_bytes, write_json
from compactvl.nn.bert import BertShape
from compactvl.records.record import MANIFEST, Made, manifest_digest, read_manifest, write
from compactvl.studies.edje.compress import compress_store
from compactvl.studies.edje.model import JointModel, score_pairs
from compactvl.studies.edje.open import through_storage
from compactvl.studies.edje.rerank import Reranker
from compactvl.studies.edje.settings import JointEncoder
from compactvl.studies.pieces import TOKENIZER
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.training.checkpoint import save_model
from compactvl.vision.convert import convert_weights
from compactvl.vision.encode import encode
from compactvl.vision.identity import encoder_of
from compactvl.vision.registry import load_encoder
from compactvl.vision.store import TokenStore, TokenWriter

COUNT, TOKENS = 6, 5
CAPTIONS = [
    "a red circle",
    "two blue circles left of a green one",
    "nothing",
    "a",
    "three small dogs and a cat",
    "a box",
]


def draw(index):
    image = Image.new("RGB", (80, 80), (240, 240 - 20 * index, 255))
    ImageDraw.Draw(image).ellipse((10, 10, 30 + 8 * index, 60), fill=(40 * index, 90, 200))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def world(tmp_path_factory, source_archive):
    """Images, their patch tokens in fp32 and in a store, and a run with random weights."""
    root = tmp_path_factory.mktemp("world")
    weights = root / "cache" / "weights"
    for name, form, source in (("dinov2_s", "dinov2_onnx", "dinov2"), ("minilm", "minilm", "minilm")):
        settings = WeightsSettings(source=source, format=form)
        convert_weights(name, settings, source_archive(source), weights / f"{name}.safetensors", Made("weights", ""))
    images = {f"image{i}": draw(i) for i in range(COUNT)}
    table = pd.DataFrame({"image_id": list(images), "sha256": [sha256_bytes(data) for data in images.values()]})
    dataset = SimpleNamespace(name="drawn", images=table, image_bytes=images.__getitem__)
    settings = PackagedEncoder(
        loader="dinov2_s", weights="dinov2_s", image_size=112, precision="fp32", batch_size=4, threads=1
    )
    encode("dinov2_s", settings, dataset, weights / "dinov2_s.safetensors", root / "tokens", Made("encode", ""))
    encoder = load_encoder(settings, weights / "dinov2_s.safetensors")
    pixels = torch.from_numpy(np.stack([encoder.preprocess(data) for data in images.values()]))
    patches = torch.from_numpy(np.concatenate([np.asarray(encoder(p[None])[0]) for p in pixels]))

    torch.manual_seed(0)
    settings = JointEncoder(
        kind="joint",
        encoder="dinov2_s",
        vision={"tokens": 64, "width": 384, "pooled": 384},
        dataset="drawn",
        first_stage="clip",
        adapter={"tokens": TOKENS, "heads": 6, "hidden": 64, "rescale": True},
        joint={"layers": 2},
        objectives={"mlm": 0, "recovery": 0},
        optimiser={"steps": 1},
        precision="fp32",
    )
    model = JointModel(settings, BertShape(layers=2)).eval()
    model.set_word_statistics()
    run = root / "runs" / "edje" / "x" / "seed0"
    save_model(model, run)
    write_json(run / "settings.json", settings.model_dump(mode="json"))
    shutil.copyfile(weights / "minilm.tokenizer.json", run / TOKENIZER)
    facts = encoder_of(TokenStore.open(root / "tokens"))
    write(run / MANIFEST, Made("train", ""), list(run.iterdir()), encoder=facts)
    tokenizer = WordPiece(weights / "minilm.tokenizer.json")
    return SimpleNamespace(root=root, run=run, model=model, patches=patches, tokenizer=tokenizer, ids=list(images))


def scores(world, vision):
    captions = TokenBatch.of(world.tokenizer.encode(CAPTIONS, 64))
    images, texts = (part.ravel() for part in np.meshgrid(np.arange(COUNT), np.arange(COUNT), indexing="ij"))
    return score_pairs(world.model, vision, captions, images, texts, world.tokenizer.sep)


def test_score_is_the_same_from_pixels_and_from_the_cache(world):
    store = TokenStore.open(world.root / "tokens")
    cached = torch.from_numpy(store.read(world.ids))
    with torch.inference_mode():
        from_pixels = world.model.compress(world.patches.half().float())
        from_cache = world.model.compress(cached.float())
        unrounded = world.model.compress(world.patches)
    np.testing.assert_allclose(scores(world, from_pixels), scores(world, from_cache), atol=1e-5)
    # fp16 patch tokens against fp32 ones: three digits of the scores' spread.
    spread = scores(world, unrounded).std()
    assert np.abs(scores(world, unrounded) - scores(world, from_cache)).max() < 1e-3 * max(spread, 0.1)


@pytest.mark.parametrize(("storage", "tolerance"), [("fp16", 0.002), ("int8", 0.05), ("fp8", 0.25)])
def test_score_survives_the_storage_formats(world, storage, tolerance):
    with torch.inference_mode():
        vision = world.model.compress(world.patches)
    exact, stored = scores(world, vision), scores(world, through_storage(vision, storage))
    # Tolerances are shares of the scores' standard deviation.
    assert np.abs(exact - stored).max() < tolerance * exact.std()


@pytest.mark.parametrize("storage", ["fp16", "int8"])
def test_compressed_store_has_its_size_and_ranks_as_the_patches_do(world, tmp_path, storage):
    compress_store(world.run, world.root / "tokens", tmp_path / "small", storage)
    store = TokenStore.open(tmp_path / "small")
    size = {"fp16": 2, "int8": 1}[storage]
    parts = read_manifest(tmp_path / "small")["bytes"]
    assert parts["tokens"] == COUNT * TOKENS * 384 * size
    assert parts["scales"] == (0 if storage == "fp16" else COUNT * TOKENS * 2)
    on_disk = sum(
        p.stat().st_size for p in (tmp_path / "small").iterdir() if p.suffix != ".json" or p.stem.startswith("shard")
    )
    assert on_disk == sum(parts.values())
    wide = Reranker.open(world.run, world.root / "tokens")
    narrow = Reranker.open(world.run, tmp_path / "small")
    for query in CAPTIONS[:3]:
        one, other = wide.score(query, store.ids), narrow.score(query, store.ids)
        assert np.abs(one - other).max() < 0.05 * max(one.std(), 0.01) + (0.05 if storage == "int8" else 1e-3)


def test_rank_is_sorted_and_takes_candidates(world):
    reranker = Reranker.open(world.run, world.root / "tokens")
    ranked = reranker.rank("a red circle")
    assert sorted(i for i, _ in ranked) == sorted(world.ids)
    values = [score for _, score in ranked]
    assert values == sorted(values, reverse=True)
    assert [i for i, _ in reranker.rank("a red circle", top=2)] == [i for i, _ in ranked[:2]]
    only = reranker.rank("a red circle", image_ids=["image4", "image1"])
    assert {i for i, _ in only} == {"image4", "image1"}
    assert dict(only)["image4"] == pytest.approx(dict(ranked)["image4"], abs=1e-4)


def test_bad_queries_and_stores_are_errors(world, tmp_path):
    reranker = Reranker.open(world.run, world.root / "tokens")
    for query in ("  ", "?!", "_"):
        with pytest.raises(UserError, match="has no words"):
            reranker.rank(query)
    for query in ("狗 狗", "\N{DOG FACE}"):
        with pytest.raises(UserError, match=f"knows no word of the query '{query}'"):
            reranker.rank(query)
    with pytest.raises(UserError, match=r"the query 'caf\\udce9' is not UTF-8"):
        reranker.rank("caf\udce9")
    for top in (0, -1):
        with pytest.raises(UserError, match=f"top {top}: ask for 1 image or more"):
            reranker.rank("a dog", top=top)
    with pytest.raises(UserError, match="nobody"):
        reranker.rank("a dog", image_ids=["nobody"])
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        Reranker.open(tmp_path, world.root / "tokens")


def test_blocks_hold_an_image_or_more(world):
    store = TokenStore.open(world.root / "tokens")
    for size in (0, -1):
        with pytest.raises(ValueError, match=f"size {size}"):
            next(store.blocks(size))


def test_what_is_lost_of_a_query_is_told(world, caplog):
    reranker = Reranker.open(world.run, world.root / "tokens")
    reranker.rank("a dog", top=1)
    assert caplog.messages == []
    long = "a man with a red hat " * 16
    assert reranker.rank(f"{long} and a dog") == reranker.rank(long)
    assert caplog.messages == ["the query is longer than the 63 word pieces the model reads; its end is cut off"] * 2
    caplog.clear()
    reranker.rank("a 狗 here")
    assert caplog.messages == ["the model does not know 1 of the query's words"]


def test_a_run_is_used_wherever_it_is_copied_to(world, tmp_path):
    copy = shutil.copytree(world.run, tmp_path / "my model")
    expected = Reranker.open(world.run, world.root / "tokens").rank("a red circle")
    assert Reranker.open(copy, world.root / "tokens").rank("a red circle") == expected
    (copy / TOKENIZER).unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json is missing; delete"):
        Reranker.open(copy, world.root / "tokens")


def write_store(folder, *, shape=(64, 384), **facts):
    images = {f"image{i}": "0" * 64 for i in range(2)}
    facts = TokenStore.open(folder.parent / "tokens").manifest["encoder"] | facts
    writer = TokenWriter(folder, shape=shape, pooled_dim=3, storage="fp16", encoder_facts=facts, images=images)
    with writer:
        writer.append(list(images), np.ones((2, *shape), np.float32), np.ones((2, 3), np.float32))
    writer.finish(Made("encode", ""))
    return folder


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"name": "other", "weights_sha256": "1" * 64}, r"holds tokens of encoder other \(.*those of dinov2_s \("),
        ({"preprocessing": {"image_size": 224}}, r"holds tokens of encoder dinov2_s"),
        ({"shape": (64, 192)}, r"holds 64 tokens of width 192, .* reads tokens of width 384"),
        ({"loader": "edje", "run": "2" * 64, "shape": (TOKENS, 384)}, r"compressed tokens of another run \(22222222\)"),
    ],
)
def test_a_store_of_another_encoder_or_run_is_refused(world, tmp_path, facts, message):
    store = write_store(world.root / f"other{len(message)}", **facts)
    with pytest.raises(UserError, match=message) as caught:
        Reranker.open(world.run, store)
    assert "\n" not in str(caught.value)
    if facts.get("loader") == "edje":
        message = "holds compressed tokens already"
    with pytest.raises(UserError, match=message):
        compress_store(world.run, store, tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_number_formats_do_not_make_another_encoder(world):
    store = write_store(world.root / "fp32", precision="bf16", name="mine")
    assert len(Reranker.open(world.run, store).rank("a dog")) == 2


def test_compressing_destroys_nothing_else(world, tmp_path):
    tokens, before = world.root / "tokens", manifest_digest(world.root / "tokens")
    (world.root / "link").symlink_to(tokens)
    for target in (tokens, world.root / "link", tokens / ".." / "tokens"):
        with pytest.raises(UserError, match="is the store that is read; choose another folder"):
            compress_store(world.run, tokens, target)
    for target in (world.run, write_store(world.root / "patches")):
        with pytest.raises(UserError, match="holds something else than compressed tokens; choose another folder"):
            compress_store(world.run, tokens, target)
    assert manifest_digest(tokens) == before
    TokenStore.open(tokens)
    TokenStore.open(world.root / "patches")
    compress_store(world.run, tokens, tmp_path / "small", "fp16")
    compress_store(world.run, tokens, tmp_path / "small", "int8")
    assert TokenStore.open(tmp_path / "small").storage == "int8"
