"""Small variants, and a small drawn world: scenes of two colours, questions about them, tokens that show them."""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import BertConfig, BertModel

from compactvl.dag.identity import identified
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.records.layout import Layout
from compactvl.records.record import Made, write
from compactvl.studies.base import Job
from compactvl.studies.dide import STUDY
from compactvl.studies.jobs import train
from compactvl.vision.store import TokenWriter

COLOURS = ["red", "blue", "green"]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "is", "there", "a", "?", "yes", "no", "and", "left", *COLOURS]
SIZES = {"train": 24, "val": 12, "test": 12}
SIDE, D_V = 4, 12
TRUNK = {
    "blocks": "bert", "weights": "tiny", "layers": 2, "width": 32, "heads": 1, "hidden": 64, "vocabulary": len(WORDS),
    "positions": 20, "longest": 16, "dropout": 0.0, "cls_from_mask": True,
}  # fmt: skip
TOKENS = {"input": "tokens", "encoder": "cam", "side": SIDE, "width": D_V, "merge": 2}
PIXELS = {
    "input": "pixels", "patch": 8, "grid": 2,
    "pixels": {"fit": {"shape": "aspect", "shorter": 16, "longer": 32, "multiple": 8}, "augment": {"operations": {}}},
}  # fmt: skip
OPTIMISER = {"steps": 3, "batch": 6, "lr": 1e-3}
COMMON = {"trunk": TRUNK, "images": TOKENS, "optimiser": OPTIMISER, "precision": "fp32"}
CAPTIONED = COMMON | {"dataset": "drawn"}
ASKED = COMMON | {"dataset": "asked", "images_of": "drawn", "answers": 2, "start": "fused"}
BOTH = {"hard": 1, "soft": 1, "attention": {"weight": 1, "layers": [-1, 0]}}
VARIANTS = {
    "aligned": CAPTIONED | {"kind": "fusion_pairs", "objectives": {"alignment": 1, "matching": 0, "masked_words": 0}},
    "fused": CAPTIONED
    | {"kind": "fusion_pairs", "start": "aligned", "objectives": {"mask": "nouns", "mask_rate": 0.5}},
    "dual_pairs": CAPTIONED
    | {
        "kind": "dual_pairs",
        "start": "fused",
        "teacher": "fused",
        "attention": {"weight": 1},
        "objectives": {"contrastive": 1},
    },
    "teacher": ASKED | {"kind": "fusion", "questions_an_image": 2, "validations": 2},
    "blind": ASKED | {"kind": "fusion", "blind": True},
    "hard": ASKED | {"kind": "dual", "losses": {"hard": 1, "soft": 0, "attention": {"weight": 0}}},
    "dual": ASKED | {"kind": "dual", "start": "dual_pairs", "teacher": "teacher", "losses": BOTH, "validations": 1},
    "soft_vqa": ASKED | {"kind": "fusion", "dataset": "annotated", "last_bias": -4},
    "pair_teacher": ASKED | {"kind": "fusion", "dataset": "pairs", "image_pair": True},
    "pair_dual": ASKED | {"kind": "dual", "dataset": "pairs", "image_pair": True, "teacher": "pair_teacher"},
    "pixel_teacher": ASKED | {"kind": "fusion", "images": PIXELS, "start": None},
    "pixel_dual": ASKED | {"kind": "dual", "images": PIXELS, "start": None, "teacher": "pixel_teacher"},
    "random": {"kind": "control", "of": "dual", "control": "random_scores"},
    "shuffled": {"kind": "control", "of": "dual", "control": "shuffled_images"},
}


def variants(**changed: Any) -> dict:
    """The small variants, settings of some exchanged."""
    return STUDY.revive({name: VARIANTS[name] | changed.get(name, {}) for name in VARIANTS}, "v")


def png(colours: tuple[str, str], size: tuple[int, int]) -> bytes:
    """An image whose left half has one colour and whose right half has another."""
    image = Image.new("RGB", size, colours[0])
    image.paste(Image.new("RGB", (size[0] // 2, size[1]), colours[1]), (size[0] // 2, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_tiny_bert(layout: Layout) -> None:
    torch.manual_seed(0)
    target = layout.weights("tiny")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 1, "intermediate_size": 64}
    bert = BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=64, **sizes))
    target.parent.mkdir(parents=True)
    save_file({key: value.contiguous() for key, value in bert.state_dict().items()}, target)
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.WhitespaceSplit()
    companion = target.with_suffix(".tokenizer.json")
    tokenizer.save(str(companion))
    write(target.with_suffix(".json"), Made("weights", ""), [target, companion], model="tiny")


def write_sets(layout: Layout) -> None:
    """Write images with captions, and three sets of questions about them."""
    rng = np.random.default_rng(0)
    shown = {f"{split}-{i:02d}": tuple(rng.choice(COLOURS, 2)) for split, n in SIZES.items() for i in range(n)}
    rows = [
        ImageRow(name, png(pair, (32, 16) if i % 2 else (16, 16)), name.split("-")[0])
        for i, (name, pair) in enumerate(shown.items())
    ]
    captions = pd.DataFrame(
        {
            "item_id": list(shown),
            "image_id": list(shown),
            "split": [name.split("-")[0] for name in shown],
            "caption": [f"a {a} and {b}" for a, b in shown.values()],
            "pos": "DET NOUN CCONJ NOUN",
        }
    )
    write_set(layout.dataset("drawn"), "drawn", rows, captions, Made("curate", ""), settings={})
    asked = [
        {"item_id": f"{name}-{c}", "image_id": name, "split": name.split("-")[0], "question": f"Is there a {c} ?",
         "answer": "yes" if c in pair else "no", "type": c}
        for name, pair in shown.items() for c in COLOURS
    ]  # fmt: skip
    annotated = [
        {k: v for k, v in row.items() if k != "answer"} | {"answers": json.dumps([row["answer"]] * 7 + ["maybe"] * 3)}
        for row in asked
    ]
    pairs = []
    for split in SIZES:
        names = [name for name in shown if name.startswith(split)]
        pairs += [
            {"item_id": f"{a}+{b}-{c}", "image_0": a, "image_1": b, "split": split, "statement": f"there is a {c} left",
             "label": int(c in shown[a]), "sentence_id": f"{split}-{c}"}
            for a, b in pairwise(names) for c in COLOURS
        ]  # fmt: skip
    for name, items, answers in (
        ("asked", asked, ["yes", "no"]),
        ("annotated", annotated, ["yes", "no"]),
        ("pairs", pairs, ["false", "true"]),
    ):
        facts = {"text_only": True, "images_of": "drawn", "answers": answers}
        write_set(layout.dataset(name), name, [], pd.DataFrame(items), Made("curate", ""), settings={}, **facts)


def write_tokens(layout: Layout) -> None:
    """Write a store whose tokens are the colours of the image's cells, and noise."""
    dataset, rng = CanonicalSet.open(layout.dataset("drawn")), np.random.default_rng(1)
    hashes = dict(zip(dataset.images["image_id"], dataset.images["sha256"], strict=True))
    facts = {"name": "cam", "loader": "timm", "model": "cam", "weights_sha256": "0" * 64}
    tokens = rng.normal(size=(len(hashes), SIDE, SIDE, D_V)).astype(np.float32)
    for row, name in enumerate(hashes):
        with Image.open(io.BytesIO(dataset.image_bytes(name))) as image:
            tokens[row, :, :, :3] = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), np.float32) / 64
    writer = TokenWriter(
        layout.tokens("cam", "drawn"),
        shape=(SIDE**2, D_V),
        pooled_dim=2,
        storage="fp16",
        encoder_facts=facts,
        images=hashes,
    )
    with writer:
        writer.append(list(hashes), tokens.reshape(len(hashes), -1, D_V), np.zeros((len(hashes), 2), np.float32))
    writer.finish(Made("encode", ""))


@dataclass
class World:
    """A working folder with data sets, a token store and a tiny BERT."""

    layout: Layout

    def job(self, name: str, known: dict | None = None, **changed: Any) -> Job:
        peers = known or variants()
        folders = {"output": self.layout.run("dide", name, 0), "scratch": self.layout.resume("dide", name, 0)} | changed
        return Job("dide", name, 0, peers[name], self.layout, peers=peers, **folders)

    def trained(self, name: str) -> Any:
        job = self.job(name)
        if not (job.output / "manifest.json").is_file():
            for peer in STUDY.training_needs(job.settings, job.peers).variants:
                self.trained(peer)
            train(identified(job))
        return job.output


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    layout = Layout(tmp_path_factory.mktemp("dide"))
    write_sets(layout)
    write_tokens(layout)
    write_tiny_bert(layout)
    return World(layout)


@pytest.fixture
def small() -> Callable[..., dict]:
    """Gives the small variants, settings of some exchanged."""
    return variants
