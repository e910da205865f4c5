"""Small variants, and a small drawn world: scenes of two colours, questions about them, tokens that show them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from drawn import WORDS, write_sets, write_tiny_bert
from PIL import Image

from compactvl.dag.identity import identified
from compactvl.data.canonical import CanonicalSet
from compactvl.records.layout import Layout
from compactvl.records.record import Made
from compactvl.studies.base import Job
from compactvl.studies.dide import STUDY
from compactvl.studies.jobs import train
from compactvl.vision.store import TokenWriter

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
