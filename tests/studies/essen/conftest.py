"""Small variants on the small drawn world."""

from dataclasses import dataclass
from typing import Any

import pytest
from drawn import WORDS, write_boxes, write_sets, write_tiny_bert

from compactvl.dag.identity import identified
from compactvl.records.layout import Layout
from compactvl.studies.base import Job
from compactvl.studies.essen import STUDY
from compactvl.studies.jobs import train

TEXT = {
    "form": "bert",
    "layers": 1,
    "width": 32,
    "heads": 2,
    "hidden": 64,
    "embedding": 16,
    "vocabulary": len(WORDS),
    "positions": 24,
}
FUSION = {"layers": 2, "width": 24, "heads": 2, "hidden": 48}
VIT = {"model": "vit_tiny_patch16_224", "options": {"patch_size": 8, "embed_dim": 32, "depth": 1, "num_heads": 2}}
CNN = {
    "model": "resnet18", "stage": 2,
    "options": {"stem_type": "deep", "stem_width": 4, "layers": [1, 1, 1, 1], "channels": [8, 16, 16, 16]},
}  # fmt: skip
ONE = {"form": "one_tower", "text": TEXT, "patch": 8}
TWO = {"form": "two_tower", "text": TEXT, "vision": CNN, "fusion": FUSION}
PIXELS = {"fit": {"shape": "square", "image_size": 16, "resize": "squash"}}
OPTIMISER = {"steps": 4, "batch": 6, "lr": 1e-3, "group_lr": {"head": 5e-3, "fusion": 5e-3}}
COMMON = {
    "tokenizer": "tiny",
    "longest": 16,
    "pixels": PIXELS,
    "optimiser": OPTIMISER,
    "precision": "fp32",
    "dropout": 0.0,
}
ASKED = COMMON | {"kind": "answering", "dataset": "asked", "images_of": "drawn", "answers": 2, "questions_an_image": 2}
PAIRED = COMMON | {"kind": "answering", "dataset": "pairs", "images_of": "drawn", "answers": 2, "image_pair": True}
VARIANTS = {
    "captions_one": COMMON | {"kind": "pretraining", "model": ONE, "dataset": "drawn"},
    "captions": COMMON | {"kind": "pretraining", "model": TWO, "dataset": "drawn", "objectives": {"mask": "nouns"}},
    "one": ASKED | {"model": ONE, "start": "captions_one", "validations": 2},
    "vit": ASKED | {"model": TWO | {"vision": VIT}},
    "cnn": ASKED | {"model": TWO, "start": "captions"},
    "eighth": ASKED | {"model": TWO, "start": "captions", "share": 0.125},
    "frozen": ASKED | {"model": TWO | {"vision": CNN | {"frozen": True}}},
    "blind": ASKED | {"model": TWO, "blind": True},
    "pairs_one": PAIRED | {"model": ONE, "start": "captions_one"},
    "pairs": PAIRED | {"model": TWO, "start": "captions"},
    "boxes": COMMON | {"kind": "grounding", "model": TWO, "start": "captions", "dataset": "boxed", "validations": 1},
    "boxes_one": COMMON | {"kind": "grounding", "model": ONE, "dataset": "boxed"},
    "random": {"kind": "control", "of": "cnn", "control": "random_scores"},
}


def variants(**changed: Any) -> dict:
    """The small variants, settings of some exchanged."""
    return STUDY.revive({name: VARIANTS[name] | changed.get(name, {}) for name in VARIANTS}, "v")


@dataclass
class World:
    """A working folder with data sets and a tiny BERT."""

    layout: Layout

    def job(self, name: str, known: dict | None = None, **changed: Any) -> Job:
        peers = known or variants()
        folders = {
            "output": self.layout.run("essen", name, 0),
            "scratch": self.layout.resume("essen", name, 0),
        } | changed
        return Job("essen", name, 0, peers[name], self.layout, peers=peers, **folders)

    def trained(self, name: str) -> Any:
        job = self.job(name)
        if not (job.output / "manifest.json").is_file():
            for peer in STUDY.training_needs(job.settings, job.peers).variants:
                self.trained(peer)
            train(identified(job))
        return job.output


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    layout = Layout(tmp_path_factory.mktemp("essen"))
    write_sets(layout)
    write_boxes(layout)
    write_tiny_bert(layout)
    return World(layout)


@pytest.fixture
def variants_of():
    """Gives the small variants, settings of some exchanged."""
    return variants
