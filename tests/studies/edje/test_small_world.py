"""Training and evaluation of small variants on a small drawn data set, from files to files."""

import io
import json
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from accelerator import accelerator
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel

from compactvl.config.encoders import TimmEncoder
from compactvl.dag.digest import covered
from compactvl.dag.identity import identified, training_identity
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.data.pairs import Pairs
from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.efficiency import Settings as EfficiencyBenchmark
from compactvl.evaluation.benchmarks.retrieval import Settings as RetrievalBenchmark
from compactvl.evaluation.efficiency import TIMING_COLUMNS
from compactvl.evaluation.results import read_predictions
from compactvl.files import read_json, write_json
from compactvl.nn import compute
from compactvl.records.intact import check_made
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, read_manifest, write
from compactvl.studies.base import Job
from compactvl.studies.edje import STUDY, train_joint
from compactvl.studies.edje.efficiency import Online
from compactvl.studies.edje.embedding import EmbeddingModel
from compactvl.studies.edje.similarity import image_features, open_similarity
from compactvl.studies.jobs import evaluate, open_model, train
from compactvl.text.sentences import SentenceEncoder
from compactvl.text.vectors import TextVectors, embed
from compactvl.training.checkpoint import RESUME, load_model, read_state
from compactvl.vision.encode import encode
from compactvl.vision.store import TokenStore, TokenWriter

SIZES = {"train": 12, "val": 30, "test": 30}
FIRST = ["red", "blue", "green", "small", "large", "old", "new", "wet", "dry"]
SECOND = ["dog", "cat", "cup", "box", "tree", "car", "hat", "bird"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FIRST, *SECOND]
DIM = 8
VIT = TimmEncoder(loader="timm", model="test_vit", checkpoint="none", image_size=32, batch_size=16, threads=1)
CAM = {"encoder": "cam", "vision": {"tokens": 4, "width": 24, "pooled": DIM}}
TIMM = {"encoder": "vit", "vision": {"tokens": 4, "width": 64, "pooled": 64}}
ADAPTER = {"tokens": 3, "heads": 4, "hidden": 32}
JOINT = {
    "kind": "joint",
    "dataset": "drawn",
    "first_stage": "clip",
    "adapter": ADAPTER,
    "joint": {"weights": "tiny", "layers": 2, "dropout": 0.0},
    "objectives": {"mlm": 0, "recovery": 0},
    "optimiser": {"steps": 2, "batch": 6, "warmup": 0},
    "precision": "fp32",
}
VARIANTS = {
    "clip": {"kind": "pretrained", "encoder": "cam", "text_encoder": "cam", "dim": DIM},
    "retriever": {
        "kind": "embedding",
        **CAM,
        "text_encoder": "cam",
        "text_width": DIM,
        "dataset": "drawn",
        "dim": 5,
        "hidden": 7,
        "pooling": "pooled_and_mean",
        "optimiser": {"steps": 3, "batch": 6},
    },
    "late": {
        "kind": "late_interaction",
        **CAM,
        "dataset": "drawn",
        "adapter": ADAPTER,
        "joint": {"weights": "tiny", "layers": 1},
        "optimiser": {"steps": 2, "batch": 6},
        "precision": "fp32",
    },
    "edje": JOINT | CAM,
    "everything": JOINT
    | CAM
    | {
        "first_stage": "retriever",
        "start": {"joint": "edje"},
        "teacher": "edje",
        "objectives": {"mlm": 1, "recovery": 1, "distillation": 1, "itm_form": "binary"},
        "negatives": {"miner": "self", "random_images": 1, "group": 2},
        "optimiser": {"steps": 3, "batch": 12, "accumulate": 2, "warmup": 0.1, "schedule": "linear", "clip": 1.0},
        "validations": 1,
    },
    "online": JOINT | TIMM | {"online": True},
    "fusion": {"kind": "score_fusion", "of": "edje"},
    "random": {"kind": "control", "of": "edje", "control": "random_scores"},
}

VARIANTS["attention"] = VARIANTS["retriever"] | {"pooling": "attention"}
ON_DEVICE = ("retriever", "attention", "late", "edje", "everything")
"""Kinds of training, and the kinds of similarity and of reranker that they leave."""


def png(seed):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


class Aligned:
    """Text vectors: a validation caption's is its image's, any other's is the opposite of its image's."""

    device = "cpu"

    def __init__(self, pooled, items):
        self.vectors = {
            row.caption: pooled[row.image_id] * (1 if row.split == "val" else -1) for row in items.itertuples()
        }

    def encode(self, texts, label=""):
        return np.stack([self.vectors[text] for text in texts])


def write_tiny_bert(target):
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 64}
    bert = BertModel(BertConfig(vocab_size=len(VOCABULARY), max_position_embeddings=32, **sizes))
    target.parent.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in bert.state_dict().items()}, target)
    vocabulary = {word: index for index, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    companion = target.with_suffix(".tokenizer.json")
    tokenizer.save(str(companion))
    write(target.with_suffix(".json"), Made("weights", ""), [target, companion], model="tiny")


def write_cam(folder, dataset, pooled, name="cam", weights="0" * 64):
    hashes = dict(zip(dataset.images["image_id"], dataset.images["sha256"], strict=True))
    facts = {"name": name, "loader": "timm", "model": name, "weights_sha256": weights}
    writer = TokenWriter(folder, shape=(4, 24), pooled_dim=DIM, storage="fp16", encoder_facts=facts, images=hashes)
    tokens = np.random.default_rng(5).normal(size=(len(hashes), 4, 24)).astype(np.float32)
    with writer:
        writer.append(list(hashes), tokens, np.stack([pooled[i] for i in hashes]))
    writer.finish(Made("encode", ""))


@dataclass
class World:
    """A working folder with a data set, two token stores, caption vectors and a tiny BERT."""

    layout: Layout
    dataset: CanonicalSet
    pooled: dict

    def job(self, name, variants=VARIANTS, output=None, layout=None):
        layout = layout or self.layout
        peers = STUDY.revive(variants, "v")
        output = output or layout.run("edje", name, 0)
        return Job("edje", name, 0, peers[name], layout, output, peers, layout.resume("edje", name, 0))

    def trained(self, name):
        folder = self.layout.run("edje", name, 0)
        if not (folder / "manifest.json").is_file():
            job = self.job(name)
            for peer in STUDY.training_needs(job.settings, job.peers).variants:
                self.trained(peer)
            train(identified(job))
        return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("small"))
    splits = [split for split, count in SIZES.items() for _ in range(count)]
    ids = [f"{number}.png" for number in range(len(splits))]
    captions = [f"{a} {b}" for a in FIRST for b in SECOND]
    items = pd.DataFrame({"item_id": ids, "image_id": ids, "split": splits, "caption": captions, "pos": ""})
    images = (ImageRow(i, png(n), s) for n, (i, s) in enumerate(zip(ids, splits, strict=True)))
    write_set(layout.dataset("drawn"), "drawn", images, items, Made("curate", ""), settings={})
    dataset = CanonicalSet.open(layout.dataset("drawn"))
    vectors = np.random.default_rng(1).normal(size=(len(ids), DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pooled = dict(zip(ids, vectors, strict=True))
    write_cam(layout.tokens("cam", "drawn"), dataset, pooled)
    embed(Aligned(pooled, items), dataset, layout.texts("cam", "drawn"), {"name": "cam"}, Made("embed", ""))
    write_tiny_bert(layout.weights("tiny"))

    checkpoint = layout.root / "vit.safetensors"
    torch.manual_seed(0)
    model = timm.create_model("test_vit", num_classes=0)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, checkpoint)
    settings = VIT.model_copy(update={"checkpoint": str(checkpoint)})
    encode("vit", settings, dataset, None, layout.tokens("vit", "drawn"), Made("encode", ""))
    write_json(layout.settings("encoders", "vit"), settings.model_dump(mode="json"))
    made = World(layout, dataset, pooled)
    made.trained("clip")
    return made


# What a run holds.


def test_a_joint_run_is_whole(world):
    folder = world.trained("edje")
    manifest = read_manifest(folder, "train")
    assert manifest["encoder"]["name"] == "cam"
    assert {"model.safetensors", "settings.json", "tokenizer.json"} <= manifest["files"].keys()
    check_made(folder / MANIFEST)
    source = world.layout.weights("tiny").with_suffix(".tokenizer.json")
    assert (folder / "tokenizer.json").read_bytes() == source.read_bytes()
    assert not world.layout.resume("edje", "edje", 0).exists()
    assert torch.device(read_json(folder / "provenance.json")["device"]).type == compute.compute_device().type


@pytest.mark.parametrize("name", ON_DEVICE)
def test_everything_is_computed_on_the_device(world, tmp_path, name):
    """The accelerator's tensors meet none of the CPU's, and give what the CPU gives."""
    expected = read_state(world.trained(name))
    run = Layout(tmp_path).run("edje", name, 0)
    with accelerator() as device:
        train(identified(world.job(name, output=run)))
        assert read_json(run / "provenance.json")["device"] == str(device)
        evaluate(
            identified(world.job(name, output=tmp_path / "there"), "drawn", benchmark_of()), "drawn", benchmark_of()
        )
    assert read_json(tmp_path / "there" / "drawn.provenance.json")["device"] == str(device)
    for key, tensor in read_state(run).items():
        # The loss does not change with the matching head's bias: its gradient is rounding, which AdamW makes steps of.
        torch.testing.assert_close(tensor, expected[key], rtol=1e-4, atol=1e-3 if key == "itm.bias" else 1e-5)
    evaluate(identified(world.job(name, output=tmp_path / "here"), "drawn", benchmark_of()), "drawn", benchmark_of())
    here, there = (read_predictions(tmp_path / place, "drawn")["scores"].explode() for place in ("here", "there"))
    np.testing.assert_allclose(there.astype(float), here.astype(float), rtol=1e-4, atol=1e-5)


def test_sentences_are_embedded_on_the_device(world):
    texts = [f"{a} {b}" for a in FIRST for b in SECOND]
    encode = lambda: SentenceEncoder(world.layout.weights("tiny"), "fp32").encode(texts)  # noqa: E731
    with accelerator() as device:
        vectors = encode()
        assert SentenceEncoder(world.layout.weights("tiny")).bert.embeddings.word.weight.device == device
    np.testing.assert_allclose(vectors, encode(), atol=1e-5)


def test_what_is_computed_on_the_cpu_is_not_computed_on_the_device(world):
    with accelerator() as device, pytest.raises(RuntimeError, match="expected all tensors to be on the same device"):
        torch.ones(3).to(device) + torch.ones(3)
    with accelerator() as device, pytest.raises(RuntimeError, match="numpy"):
        torch.ones(3).to(device).numpy()


def test_what_fails_after_training_is_finished_without_training_again(world, tmp_path, monkeypatch):
    undisturbed = read_manifest(world.trained("edje"), "train")["files"]
    job = world.job("edje", output=tmp_path / "run")
    job = replace(job, scratch=tmp_path / "scratch")

    def fail(*args):
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(train_joint, "write_attention_maps", fail)
        with pytest.raises(OSError, match="disk full"):
            train(identified(job))
    assert (job.scratch / RESUME).is_file()
    assert not (job.output / "manifest.json").exists()
    monkeypatch.setattr(train_joint.Trainer, "loss", fail)
    train(identified(job))
    assert not job.scratch.exists()
    again = read_manifest(job.output, "train")["files"]
    assert again["model.safetensors"] == undisturbed["model.safetensors"]


def test_resume_state_is_of_one_code_and_one_input(world, monkeypatch):
    world.trained("edje")
    digest = training_identity(world.job("edje")).key
    assert digest == training_identity(world.job("edje")).key
    other = VARIANTS | {"edje": VARIANTS["edje"] | {"precision": "bf16"}}
    assert training_identity(world.job("edje", other)).key != digest
    monkeypatch.setattr("compactvl.dag.identity.code_digest", lambda modules: "changed")
    assert training_identity(world.job("edje")).key != digest
    code = {
        f"compactvl.{name}" for name in ("studies.edje.train_joint", "studies.edje.model", "training.loop", "nn.bert")
    }
    assert code <= set(covered([world.job("edje").settings.trains.partition(":")[0]])[0])


# First stages.


def test_similarities_are_those_of_the_trained_models(world):
    pairs = Pairs.of(world.dataset, "test")
    opened = {}
    for name in ("clip", "retriever", "late"):
        folder = world.trained(name)
        opened[name] = open_similarity(folder, world.layout, "drawn", pairs.image_ids, pairs.captions)
        matrix = opened[name].matrix()
        assert matrix.shape == (30, 30)
        picked = opened[name].block(np.array([3, 1]), np.array([5, 0, 2]))
        np.testing.assert_allclose(picked, matrix[np.ix_([3, 1], [5, 0, 2])], atol=1e-5)
    vectors = np.stack([world.pooled[i] for i in pairs.image_ids])
    np.testing.assert_allclose(opened["clip"].matrix(), -vectors @ vectors.T, atol=1e-5)

    folder, settings = world.trained("retriever"), world.job("retriever").settings
    model = EmbeddingModel(settings)
    load_model(model, folder)
    store = TokenStore.open(world.layout.tokens("cam", "drawn"))
    texts = torch.from_numpy(TextVectors(world.layout.texts("cam", "drawn")).get(pairs.captions))
    with torch.inference_mode():
        images = model.eval().embed_images(image_features(settings, store, pairs.image_ids).float())
        expected = images @ model.text(texts).T
    np.testing.assert_allclose(opened["retriever"].matrix(), expected.numpy(), atol=1e-5)
    assert read_manifest(folder, "train")["encoder"]["name"] == "cam"


def test_tokens_of_another_encoder_are_refused_wherever_a_run_is_used(world, tmp_path):
    for name in ("edje", "retriever"):
        world.trained(name)
    root = shutil.copytree(world.layout.root, tmp_path / "copy")
    layout = Layout(root)
    shutil.rmtree(layout.tokens("cam", "drawn"))
    write_cam(layout.tokens("cam", "drawn"), world.dataset, world.pooled, "webcam", "f" * 64)
    benchmark = RetrievalBenchmark(kind="retrieval", dataset="drawn")
    for name in ("edje", "retriever"):
        job = world.job(name, output=tmp_path / "results", layout=layout)
        with pytest.raises(UserError, match=r"holds tokens of encoder webcam \(\w{8}\), .* of cam \(\w{8}\)"):
            evaluate(identified(job, "drawn", benchmark), "drawn", benchmark)


# Score fusion and controls.


def mean_r1(table, weight):
    """Recall at 1 of both directions after adding ``weight`` times the first stage's score, by hand."""
    recalls = []
    for _, rows in table.groupby("direction"):
        best = [
            np.argmax(np.add(s, np.multiply(weight, f))) for s, f in zip(rows.scores, rows.first_scores, strict=True)
        ]
        recalls.append(np.mean([relevant[b] for relevant, b in zip(rows.relevant, best, strict=True)]))
    return float(np.mean(recalls))


def benchmark_of(**changes):
    return RetrievalBenchmark(kind="retrieval", dataset="drawn", queries_per_image=1, **changes)


def test_fusion_takes_the_best_weight_of_the_validation_split(world):
    folder = world.trained("fusion")
    weights = world.job("fusion").settings.weights
    chosen = read_manifest(folder, "train")["weight"]
    world.trained("edje")
    recall = {}
    for split in ("val", "test"):
        benchmark = benchmark_of(split=split)
        table = benchmark.predictions(open_model(world.job("edje"), benchmark), world.layout)
        recall[split] = [mean_r1(table, weight) for weight in weights]
    assert chosen == weights[int(np.argmax(recall["val"]))]
    # The first stage is perfect on validation and useless on test, so the test split would have chosen otherwise.
    assert max(recall["val"]) > 0.9 > recall["val"][0]
    assert chosen > 0
    assert int(np.argmax(recall["test"])) == 0
    logged = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["val_mean_r1"] for line in logged] == pytest.approx(recall["val"], abs=1e-5)


# The online stage.


def timed(world, name, tmp_path):
    world.trained(name)
    benchmark = EfficiencyBenchmark(
        kind="efficiency", dataset="drawn", pairs=4, batch_sizes=[2, 40], warmup=0, repeats=3, seconds=0.01
    )
    job = world.job(name, output=tmp_path / "results")
    evaluate(identified(job, "efficiency", benchmark), "efficiency", benchmark)
    return pd.read_parquet(job.output / "efficiency.parquet"), read_json(job.output / "efficiency.json")


def test_online_stage_is_timed_with_every_source(world, tmp_path):
    rows, body = timed(world, "online", tmp_path)
    assert set(rows.columns) == set(TIMING_COLUMNS)
    own = rows[rows["variant"] == "online"]
    assert set(own["source"]) == {"memory", "store", "text", "online"}
    assert set(own["precision"]) == {"fp32"}
    assert set(own.loc[own["source"] == "memory", "batch"]) == {2, 4, 40}
    assert {"transformers_bert"} <= set(rows.loc[rows["source"] == "reference", "variant"])
    assert "pairs_per_s/text/batch4" in {metric["name"] for metric in body["metrics"]}
    assert body["environment"]["device"].startswith("cuda" if torch.cuda.is_available() else "cpu")
    rows, _ = timed(world, "edje", tmp_path / "offline")
    assert set(rows["source"]) == {"memory", "store"}


def test_every_source_gives_the_same_scores(world, tmp_path):
    world.trained("online")
    online = Online(world.job("online"), EfficiencyBenchmark(kind="efficiency", dataset="drawn"), tmp_path)
    expected = online.from_memory(35)()
    assert expected.shape == (35,)
    np.testing.assert_allclose(online.from_store(35)(), expected, atol=1e-6)
    np.testing.assert_allclose(online.from_text(35)(), expected, atol=1e-6)
    np.testing.assert_allclose(online.from_pixels(35)(), expected, atol=5e-3)


def test_an_encoder_without_settings_is_an_error(world, tmp_path):
    world.trained("online")
    settings = world.layout.settings("encoders", "vit")
    kept = settings.rename(tmp_path / "vit.json")
    try:
        with pytest.raises(UserError, match=r"cannot read .*encoders/vit\.json: .*run snakemake"):
            timed(world, "online", tmp_path)
        write_json(settings, {"loader": "timn"})
        with pytest.raises(UserError, match=r"vit\.json\.encoder.*'timn'"):
            timed(world, "online", tmp_path)
    finally:
        shutil.copyfile(kept, settings)
