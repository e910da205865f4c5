"""The paper's configuration at full width: its parameters, its recipe, and one step of its variants on a tiny data set."""

import json
import shutil
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel, BertTokenizerFast

from compactvl.config.encoders import WeightsSettings
from compactvl.config.overlay import load_config
from compactvl.config.weights import TransformersBert
from compactvl.dag.identity import identified
from compactvl.dag.plan import Plan
from compactvl.data.canonical import CanonicalSet
from compactvl.data.curate import Curation, curate
from compactvl.files import read_json
from compactvl.records.intact import check_made
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, read_manifest
from compactvl.studies.base import Job
from compactvl.studies.edje.joint import open_joint
from compactvl.studies.edje.settings import AdapterOptimiser, JointEncoder
from compactvl.studies.jobs import evaluate, parameter_table, train
from compactvl.text.vectors import embed
from compactvl.vision.convert import convert_weights
from compactvl.vision.store import TokenWriter

REPOSITORY = Path(__file__).parents[3]
SPLITS = ["train", "train", "train", "train", "restval", "val", "test", "test"]
JOINT_ENCODER = 33_212_160
EXTENDED = 128 * 384
"""Rows that `local` adds to the position table: 64 + 576 positions, and BERT has 512."""


def paper(layout: Layout) -> Plan:
    return Plan(load_config([REPOSITORY / "config/paper.yaml"], base=REPOSITORY / "config.yaml"), layout)


@cache
def joint_variants() -> dict[str, JointEncoder]:
    variants = paper(Layout()).studies["edje"].variants
    return {name: variant for name, variant in variants.items() if isinstance(variant, JointEncoder)}


# Sizes.


@pytest.fixture(scope="module")
def parameters():
    study = paper(Layout()).studies["edje"]
    return parameter_table(study.variants).set_index(["variant", "part"])["parameters"]


@pytest.mark.parametrize(
    ("variant", "adapter", "joint"),
    [
        ("compressed_32", 23.51, JOINT_ENCODER),
        ("compressed_64", 23.55, JOINT_ENCODER),
        ("compressed_128", 23.61, JOINT_ENCODER),
        ("compressed_256", 23.74, JOINT_ENCODER),
        ("compressed_64_siglip2_b16", 16.48, JOINT_ENCODER),
        ("local", 11.54, JOINT_ENCODER + EXTENDED),
        ("local_siglip2_b16", 9.45, JOINT_ENCODER + EXTENDED),
        ("local_clip_b16", 9.45, JOINT_ENCODER),
        ("local_clip_l14_336", 11.54, JOINT_ENCODER + EXTENDED),
    ],
)
def test_parameters_are_the_papers(variant, adapter, joint, parameters):
    assert round(parameters[variant, "adapter"] / 1e6, 2) == adapter
    assert parameters[variant, "joint encoder"] == joint


def test_tokens_take_the_papers_storage():
    bytes_of = {name: (v.adapter.tokens or v.vision.tokens) * 384 * 2 for name, v in joint_variants().items()}
    expected = {32: 24_576, 64: 49_152, 128: 98_304, 256: 196_608}
    assert {m: bytes_of[f"compressed_{m}"] for m in expected} == expected
    assert bytes_of["local"] == 442_368


# The recipe: nothing of the demo's is left in a variant that lies over one of the demo's.


@pytest.mark.parametrize("name", joint_variants())
def test_no_departure_from_the_papers_recipe(name):
    variant = joint_variants()[name]
    wanted = JointEncoder(
        kind="joint",
        encoder=variant.encoder,
        vision=variant.vision,
        dataset="coco",
        first_stage=variant.first_stage,
        adapter={
            "kind": variant.adapter.kind,
            "tokens": variant.adapter.tokens,
            "heads": variant.vision.width // 64,
        },
        # Recomputing activations changes memory, not numbers.
        joint={"weights": "minilm_l12", "checkpoint_chunks": variant.adapter.kind == "local"},
        start=variant.start,
        teacher=variant.teacher,
        objectives={key: getattr(variant.objectives, key) for key in ("mlm", "recovery", "distillation")},
        negatives={"miner": variant.negatives.miner},
        optimiser=AdapterOptimiser(steps=variant.optimiser.steps, lr=variant.optimiser.lr),
        threads=8,
        online=variant.online,
        benchmarks=variant.benchmarks,
    )
    assert variant == wanted
    tuned = name.endswith("_finetuned")
    assert (variant.optimiser.lr, variant.optimiser.steps) == ((2e-5, 4426) if tuned else (3e-4, 99585))
    assert (variant.start.joint is not None) == tuned
    assert (variant.start.adapter is not None) == tuned


def test_the_ablations_are_there():
    variants = joint_variants()
    assert {v.first_stage for v in variants.values() if v.adapter.kind == "local"} == {
        "siglip2_l16", "siglip2_b16", "clip_b16", "clip_l14", "clip_l14_336", "metaclip_l14",
    }  # fmt: skip
    objectives = {
        name: (variants[name].objectives.mlm, variants[name].objectives.recovery)
        for name in ("itm_only", "itm_mlm", "itm_mlm_recovery")
    }
    assert objectives == {"itm_only": (0, 0), "itm_mlm": (1, 0), "itm_mlm_recovery": (1, 1)}
    miners = {n: variants[n].negatives.miner for n in ("itm_only", "random_negatives", "weak_miner", "own_negatives")}
    assert list(miners.values()) == ["first_stage", "random", "clip_b16", "self"]
    finetuned = variants["compressed_finetuned"].objectives
    assert (finetuned.itm, finetuned.mlm, finetuned.recovery, finetuned.distillation) == (1, 0, 0, 1)
    pools = paper(Layout()).root.benchmarks["flickr30k_pools"].pools
    assert pools == (5, 10, 20, 50)


# One step at full width.


class RandomVectors:
    """Stands for an embedding model's text side: unit vectors, float32 (N, dim)."""

    device = "cpu"

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def encode(self, texts, label=""):
        vectors = np.random.default_rng(0).normal(size=(len(texts), self.dim)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def one_step(variant: JointEncoder) -> JointEncoder:
    """The variant with one step of four pairs; of two where all 576 tokens are kept, for time and memory."""
    size = {"steps": 1, "batch": 2 if variant.adapter.kind == "local" else 4}
    return variant.model_copy(update={"optimiser": variant.optimiser.model_copy(update=size)})


@dataclass
class World:
    """The paper's plan in a folder that holds a tiny COCO, random tokens and a random MiniLM-L12."""

    layout: Layout
    plan: Plan
    trained: set[str] = field(default_factory=set)

    def job(self, name: str, output: Path) -> Job:
        variants = self.plan.studies["edje"].variants
        short = {n: one_step(v) if isinstance(v, JointEncoder) else v for n, v in variants.items()}
        scratch = self.layout.resume("edje", name, 0)
        return Job("edje", name, 0, short[name], self.layout, output, short, scratch)

    def train(self, name: str) -> Path:
        """Train a variant and, before it, those it builds on; return its run's folder."""
        run = self.layout.run("edje", name, 0)
        if name not in self.trained:
            for peer in sorted(self.plan.needs("edje", name).variants):
                self.train(peer)
            train(identified(self.job(name, run)))
            self.trained.add(name)
        return run


def write_coco(folder: Path) -> None:
    """Images and a split file as COCO's owners and Karpathy give them."""
    entries, random = [], np.random.default_rng(0)
    for number, split in enumerate(SPLITS):
        below = "val2014" if split in ("val", "test") else "train2014"
        (folder / "images" / below).mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 255, (32, 40, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / below / f"{number}.jpg")
        sentences = [
            {"raw": f"A photo of {number} {thing}s on a table.", "sentid": 2 * number + k}
            for k, thing in enumerate(("cat", "cup"))
        ]
        entries.append({"filename": f"{number}.jpg", "filepath": below, "split": split, "sentences": sentences})
    (folder / "dataset_coco.json").write_text(json.dumps({"images": entries}))


def write_minilm_l12(folder: Path, archive: Path) -> None:
    """A folder of save_pretrained: MiniLM-L12-H384's architecture with random weights, and the real tokenizer."""
    convert_weights(
        "minilm",
        WeightsSettings(source="minilm", format="minilm"),
        archive,
        folder / "x/minilm.safetensors",
        Made("weights", ""),
    )
    numbers = read_json(folder / "x/minilm.json")["config"]
    torch.manual_seed(0)
    BertModel(BertConfig(**{**numbers, "num_hidden_layers": 12})).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "x/minilm.tokenizer.json"))
    BertTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    shutil.rmtree(folder / "x")


def write_tokens(layout: Layout, dataset: CanonicalSet, encoder: str, width: int) -> None:
    hashes = dict(zip(dataset.images["image_id"], dataset.images["sha256"], strict=True))
    random = np.random.default_rng(width)
    writer = TokenWriter(
        layout.tokens(encoder, dataset.name),
        shape=(576, width),
        pooled_dim=width,
        storage="fp16",
        encoder_facts={"name": encoder},
        images=hashes,
    )
    with writer:
        tokens, pooled = random.normal(size=(len(hashes), 576, width)), random.normal(size=(len(hashes), width))
        writer.append(list(hashes), tokens.astype(np.float32), pooled.astype(np.float32))
    writer.finish(Made("encode", ""))


@pytest.fixture(scope="module")
def world(tmp_path_factory, source_archive):
    root = tmp_path_factory.mktemp("paper")
    layout = Layout(root)
    plan = paper(layout)
    write_coco(root / "coco")
    files = {"images": str(root / "coco/images"), "annotations": str(root / "coco/dataset_coco.json")}
    curate(plan.root.datasets["coco"].model_copy(update=files), Curation("coco", layout))
    coco = CanonicalSet.open(layout.dataset("coco"))
    for encoder, width in (("siglip2_l16_384", 1024), ("siglip2_b16_384", 768)):
        write_tokens(layout, coco, encoder, width)
        embed(RandomVectors(width), coco, layout.texts(encoder, "coco"), {"name": encoder}, Made("embed", ""))
    write_minilm_l12(root / "minilm_l12", source_archive("minilm"))
    settings = plan.root.weights["minilm_l12"]
    assert isinstance(settings, TransformersBert)
    convert_weights(
        "minilm_l12",
        settings.model_copy(update={"model": str(root / "minilm_l12")}),
        None,
        layout.weights("minilm_l12"),
        Made("weights", ""),
    )
    yield World(layout, plan)
    shutil.rmtree(root)


@pytest.mark.parametrize(
    ("name", "losses"),
    [
        ("compressed_64", {"itm", "mlm", "recovery"}),
        pytest.param("mean_pooling", {"itm", "mlm", "recovery"}, marks=pytest.mark.slow),
        pytest.param("local", {"itm", "mlm", "recovery"}, marks=pytest.mark.slow),
        pytest.param("compressed_64_siglip2_b16", {"itm", "mlm", "recovery"}, marks=pytest.mark.slow),
        pytest.param("itm_only", {"itm"}, marks=pytest.mark.slow),
        pytest.param("own_negatives", {"itm"}, marks=pytest.mark.slow),
        pytest.param("compressed_distilled", {"itm", "mlm", "recovery", "distillation"}, marks=pytest.mark.slow),
        pytest.param("compressed_finetuned", {"itm", "distillation"}, marks=pytest.mark.slow),
    ],
)
def test_one_step_and_its_evaluation(world, name, losses):
    run = world.train(name)
    manifest = read_manifest(run, "train")
    model = open_joint(run)
    assert (manifest["steps"], model.bert.shape.layers, model.settings.adapter.hidden) == (1, 12, 8192)
    check_made(run / MANIFEST)
    line = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    assert losses <= line.keys()
    assert not ({"itm", "mlm", "recovery", "distillation"} - losses) & line.keys()

    output = world.layout.result("edje", name, 0)
    evaluate(
        identified(world.job(name, output), "coco", world.plan.root.benchmarks["coco"]),
        "coco",
        world.plan.root.benchmarks["coco"],
    )
    metrics = {metric["name"]: metric["value"] for metric in read_json(output / "coco.json")["metrics"]}
    tokens = world.plan.variant("edje", name).adapter.tokens or 576
    assert metrics["kb_per_image"] == pytest.approx(tokens * 384 * 2 / 1000)
    assert {"t2i_r1", "i2t_r10"} <= metrics.keys()
