"""A small world: images of two colours, two encoders that each see one of them, questions about both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from compactvl.dag.identity import identified
from compactvl.data.canonical import CanonicalSet, ImageRow, write_set
from compactvl.records.layout import Layout
from compactvl.records.record import Made
from compactvl.studies.base import Job
from compactvl.studies.encoder_roles import STUDY
from compactvl.studies.jobs import train
from compactvl.text.vectors import embed
from compactvl.vision.store import TokenWriter

COLOURS = ("red", "green", "blue", "white")
SIZES = {"train": 48, "val": 16, "test": 24}
WIDTHS = {"left": 6, "right": 10}
SIDE = 4
SUBSET = {
    "sets": {"asked": {"images": "drawn", "batch": 8, "answers": 4}}, "text_encoder": "mini", "text_width": 12, "grid": 2,
    "whitening": {"components": 4}, "text_whitening": {"components": 1}, "channels": 8, "hidden": 32, "width": 16,
    "channel_dropout": 0.0, "reader": {"kind": "attention", "heads": 2, "hidden": 32}, "rank_images": 8,
    "optimiser": {"steps": 120, "batch": 8, "lr": 1e-2, "clip": 1.0}, "benchmarks": ["roles"],
}  # fmt: skip


def variants(**changed: Any) -> dict:
    """Every subset of the two encoders, settings of all exchanged."""
    section = STUDY.section(pool=WIDTHS, subset=SUBSET | changed)
    return STUDY.revive(section.expand("v"), "v")


class RandomVectors:
    """A text encoder: a vector of its own for every text."""

    device = "cpu"

    def encode(self, texts: list[str], label: str = "") -> np.ndarray:
        return np.stack([np.random.default_rng(sum(map(ord, text))).normal(size=12) for text in texts]).astype(
            np.float32
        )


def write_world(layout: Layout) -> None:
    rng = np.random.default_rng(0)
    shown = {f"{split}-{i:02d}": rng.integers(4, size=2) for split, n in SIZES.items() for i in range(n)}
    items = pd.DataFrame(
        [
            {"item_id": f"{name}-{side}", "image_id": name, "split": name.split("-")[0], "type": side,
             "question": f"what is {side} ?", "answer": COLOURS[pair[k]]}
            for name, pair in shown.items() for k, side in enumerate(WIDTHS)
        ]
    )  # fmt: skip
    rows = [ImageRow(name, name.encode(), name.split("-")[0]) for name in shown]
    write_set(layout.dataset("drawn"), "drawn", rows, items.assign(caption="x"), Made("curate", ""), settings={})
    facts = {"text_only": True, "images_of": "drawn", "answers": list(COLOURS)}
    write_set(layout.dataset("asked"), "asked", [], items, Made("curate", ""), settings={}, **facts)
    hashes = dict(
        zip(
            (drawn := CanonicalSet.open(layout.dataset("drawn"))).images["image_id"],
            drawn.images["sha256"],
            strict=True,
        )
    )
    for k, (encoder, width) in enumerate(WIDTHS.items()):
        tokens = 0.1 * rng.normal(size=(len(hashes), SIDE**2, width)).astype(np.float32)
        for row, name in enumerate(hashes):
            tokens[row, :, shown[name][k]] += 1
        writer = TokenWriter(
            layout.tokens(encoder, "drawn"), shape=tokens.shape[1:], pooled_dim=2, storage="fp16", images=hashes,
            encoder_facts={"name": encoder, "loader": "timm", "model": encoder, "weights_sha256": "0" * 64},
            batch=16, dataset={"name": "drawn"},
        )  # fmt: skip
        with writer:
            missing = list(writer.missing)
            for start in range(0, len(missing), 16):
                ids = missing[start : start + 16]
                chosen = [list(hashes).index(one) for one in ids]
                writer.append(ids, tokens[chosen], np.zeros((len(ids), 2), np.float32))
        writer.finish(Made("encode", ""), "cpu")
    embed(
        RandomVectors(),
        CanonicalSet.open(layout.dataset("asked")),
        layout.texts("mini", "asked"),
        {"name": "mini"},
        Made("embed", ""),
    )


@dataclass(frozen=True)
class World:
    """The world on disk, and its variants trained when they are first asked for."""

    layout: Layout
    known: dict

    def job(self, name: str, seed: int = 0, **more: Any) -> Job:
        run = self.layout.run("encoder_roles", name, seed)
        scratch = self.layout.resume("encoder_roles", name, seed)
        return Job(
            "encoder_roles",
            name,
            seed,
            self.known[name],
            self.layout,
            **({"output": run, "peers": self.known, "scratch": scratch} | more),
        )

    def trained(self, name: str, seed: int = 0) -> Job:
        job = self.job(name, seed)
        if not (job.output / "manifest.json").is_file():
            train(identified(job))
        return job


@pytest.fixture(scope="session")
def world(tmp_path_factory) -> World:
    layout = Layout(tmp_path_factory.mktemp("roles"))
    write_world(layout)
    return World(layout, variants())


@pytest.fixture(scope="session")
def small() -> Callable[..., dict]:
    return variants
