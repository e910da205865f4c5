"""A results tree with plausible random numbers, written by the real functions."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from compactvl.config.overlay import load_config, merge
from compactvl.dag.plan import Plan
from compactvl.data.canonical import ImageRow, write_set
from compactvl.data.pairs import Pairs
from compactvl.evaluation.efficiency import Timing, efficiency_metrics, environment, timing_row
from compactvl.evaluation.pairs import first_stage_table, rescored
from compactvl.evaluation.results import write_result
from compactvl.evaluation.retrieval import retrieval_metrics
from compactvl.evaluation.winoground import winoground_metrics
from compactvl.files import read_json, write_json
from compactvl.records.record import DIGEST, MANIFEST, Made, write, write_record
from compactvl.studies.base import Variant
from compactvl.studies.edje.report.results import EdjeResults
from compactvl.studies.edje.settings import EMBEDDINGS
from compactvl.studies.jobs import parameter_table

REPOSITORY = Path(__file__).parents[4]
IMAGES, CAPTIONS = 120, 3
FEWER = 60
"""Test images of a benchmark with ``max_images``."""
WIDTH = 384
SKILL = {
    "retriever": 2.6, "retriever_names": 0.6, "retriever_attention": 2.9, "late_interaction": 2.8, "edje": 4.6,
    "compressed_4": 2.4, "compressed_8": 3.0, "compressed_12": 3.5, "compressed_24": 3.6, "compressed_distilled": 3.7,
    "local": 3.7, "random_negatives": 2.5, "mean_pooling": 1.8, "shuffled_tokens": 0.2, "random_scores": 0.0,
    "paper_recipe": 1.5, "mine": 3.2,
}  # fmt: skip
USUAL_SKILL = 3.1
TRUNK_PAIRS = 38_400
MADE = Made("evaluate", "")
TWO_SEEDS = ("edje", "retriever")
CONCEPTS = ("ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen")


@pytest.fixture(scope="session")
def plan() -> Plan:
    """The default benchmark, the trunk evaluated too, and a variant of the user's own: what is to be in a results tree."""
    config = load_config(base=REPOSITORY / "config.yaml")
    mine = {"base": "compressed_12", "adapter": {"tokens": 16}, "start": {"adapter": None}, "validations": 2}
    own = {"trunk": {"benchmarks": ["scenes"]}, "mine": mine}
    return Plan(merge(config, {"studies": {"edje": {"variants": own}}}))


@pytest.fixture
def study(tree) -> EdjeResults:
    """The tree's results."""
    return EdjeResults("edje", tree / "results", tree / "runs")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def changed(tree, tmp_path) -> Callable[..., EdjeResults]:
    """The results with the settings or manifests of runs changed: variant → {file: change}."""

    def change(**runs: dict) -> EdjeResults:
        for folder in ("results", "runs"):
            shutil.copytree(tree / folder, tmp_path / folder)
        for variant, files in runs.items():
            for name, changes in files.items():
                path = tmp_path / "runs" / "edje" / variant / "seed0" / name
                body = merge(read_json(path), changes)
                if name == MANIFEST:
                    write_record(path, {key: value for key, value in body.items() if key != DIGEST})
                else:
                    write_json(path, body)
        return EdjeResults("edje", tmp_path / "results", tmp_path / "runs")

    return change


@pytest.fixture(scope="session")
def tree(tmp_path_factory, plan, collect_all) -> Path:
    """The tree of a whole study: results, runs, sets."""
    root = tmp_path_factory.mktemp("tree")
    rng = np.random.default_rng(0)
    items = {"scenes": write_scenes(root / "data" / "sets" / "scenes", rng)}
    items["names"] = write_names(root / "data" / "sets" / "names")
    every = {name: Retrieval(table, rng) for name, table in items.items()}
    fewer = {name: Retrieval(first_test_images(table, FEWER), rng) for name, table in items.items()}
    variants = plan.studies["edje"].variants
    for name, settings in variants.items():
        skill = SKILL.get(name, USUAL_SKILL)
        for seed in (0, 1) if name in TWO_SEEDS else (0,):
            folder = root / "results" / "edje" / name / f"seed{seed}"
            for key in settings.benchmarks:
                benchmark = plan.root.benchmarks[key]
                if benchmark.kind == "retrieval":
                    own = settings.kind in EMBEDDINGS
                    models = every if benchmark.max_images is None else fewer
                    models[benchmark.dataset].write(folder, key, name, skill, benchmark.pools, own)
                elif benchmark.kind == "winoground":
                    write_swaps(folder, skill, rng)
                elif benchmark.kind == "efficiency":
                    write_times(folder, name, settings, benchmark.batch_sizes, rng)
            write_run(root / "runs" / "edje" / name / f"seed{seed}", name, settings, skill, rng, items["scenes"])
    write_parameters(root / "results" / "edje" / "parameters.csv", plan)
    collect_all(root / "results")
    collect_all(root / "results", "edje")
    return root


def first_test_images(items: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return the items of the first ``count`` test images, or of all if there are fewer."""
    tested = items[items["split"] == "test"]
    return tested[tested["image_id"].isin(tested["image_id"].unique()[:count])]


class Retrieval:
    """Predictions of models of different skill over the same first stage."""

    def __init__(self, items: pd.DataFrame, rng: np.random.Generator) -> None:
        self.pairs, self.rng = Pairs.of(SimpleNamespace(name="items", items=items), "test"), rng
        self.own = self.pairs.owner == np.arange(len(self.pairs.image_ids))[:, None]
        self.first = self.scores(2.6)

    def scores(self, skill: float) -> np.ndarray:
        return (self.own * skill + self.rng.normal(size=self.own.shape)).astype(np.float32)

    def write(self, folder: Path, benchmark: str, variant: str, skill: float, pools: Sequence[int], own: bool) -> None:
        first = self.first if variant == "retriever" or not own else self.scores(skill)
        table = first_stage_table(first, self.pairs, max(pools), queries_per_image=1)
        if not own:
            matrix = self.scores(skill)
            model = SimpleNamespace(score_pairs=lambda ids, texts, images, captions: matrix[images, captions])
            table = rescored(table, self.pairs, model)
        write_result(folder, benchmark, table, retrieval_metrics(table, pools), MADE, settings={"pools": list(pools)})


def write_scenes(folder: Path, rng: np.random.Generator) -> pd.DataFrame:
    colours = ["red", "green", "blue", "orange", "purple", "black", "brown", "cyan"]
    images, rows = [], []
    for number in range(IMAGES):
        canvas = Image.new("RGB", (96, 96), "white")
        draw = ImageDraw.Draw(canvas)
        chosen = rng.choice(colours, 2, replace=False)
        for place, colour in enumerate(chosen):
            x, y = 8 + 44 * place, int(rng.integers(8, 52))
            (draw.ellipse if place else draw.rectangle)((x, y, x + 34, y + 34), fill=str(colour))
        buffer = io.BytesIO()
        canvas.save(buffer, "PNG")
        split = "test" if number >= 20 else "val" if number >= 10 else "train"
        things = [{"concept": str(name)} for name in rng.choice(CONCEPTS[:4], 2, replace=False)]
        images.append(ImageRow(f"scene-{number:04d}", buffer.getvalue(), split, json.dumps({"objects": things})))
        text = f"a {chosen[0]} square to the left of a {chosen[1]} circle"
        rows += [(f"s{number:04d}-{c}", f"scene-{number:04d}", split, text, "") for c in range(CAPTIONS)]
    items = pd.DataFrame(rows, columns=["item_id", "image_id", "split", "caption", "pos"])
    write_set(folder, "scenes", images, items, Made("curate", ""), settings={})
    return items


def write_names(folder: Path) -> pd.DataFrame:
    """A picture of each concept, half of which the scenes show; two captions each."""
    images, rows = [], []
    for number in range(5 * len(CONCEPTS)):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (5 * number, 0, 0)).save(buffer, "PNG")
        concept, image = CONCEPTS[number % len(CONCEPTS)], f"name-{number}"
        images.append(ImageRow(image, buffer.getvalue(), "test"))
        rows += [(f"{image}-{c}", image, "test", f"{concept} {c}", "", concept) for c in range(2)]
    items = pd.DataFrame(rows, columns=["item_id", "image_id", "split", "caption", "pos", "concept"])
    write_set(folder, "names", images, items, Made("curate", ""), settings={})
    return items


def write_swaps(folder: Path, skill: float, rng: np.random.Generator) -> None:
    n = 160
    scores = rng.normal(size=(n, 4)) + np.array([1, 0, 0, 1]) * max(0, skill - 2.4)
    kinds = np.array(["left_right", "above_below", "count", "size"])[np.arange(n) % 4]
    table = pd.DataFrame(scores, columns=["s00", "s01", "s10", "s11"])
    table.insert(0, "item_id", [f"swap{i}" for i in range(n)])
    table.insert(1, "kind", kinds)
    write_result(folder, "swaps", table, winoground_metrics(table), MADE)


def write_run(
    folder: Path, variant: str, settings: Variant, skill: float, rng: np.random.Generator, items: pd.DataFrame
) -> None:
    own = settings.model_copy(update={"benchmarks": (), "seeds": None})
    write_json(folder / "settings.json", own.model_dump(mode="json"))
    lines = []
    for step in range(0, 400, 4):
        done = 1 - np.exp(-step / 120)
        noise = rng.normal() * 0.03
        line = {
            "step": step,
            "seen": step * 48,
            "loss": 1.2 - done + noise,
            "accuracy": min(1, 0.4 + 0.5 * done + noise),
        }
        if step % 80 == 0:
            line |= {"val_r1_t2i": 0.1 + done * skill / 6, "val_r1_i2t": 0.12 + done * skill / 6}
        lines.append(line)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    if variant == "edje":
        ids = np.array(list(items["image_id"].unique()[30:34]))
        maps = rng.random((4, 12, 8, 8)).astype(np.float32) ** 6
        np.savez(folder / "analysis.npz", maps=maps / maps.sum((2, 3), keepdims=True), image_ids=ids)
    steps = settings.optimiser.steps if hasattr(settings, "optimiser") else 0
    before = TRUNK_PAIRS if getattr(getattr(settings, "start", None), "joint", None) else 0
    write(folder / MANIFEST, Made("train", ""), [], seen=before + 96 * steps)


def write_parameters(path: Path, plan: Plan) -> None:
    resolved = plan.studies["edje"]
    text = parameter_table(resolved.variants).to_csv(index=False, lineterminator="\n")
    path.write_text(text, encoding="utf-8")
    write(path.with_suffix(".json"), Made("parameters", ""), [path])


def write_times(
    folder: Path, variant: str, settings: Variant, batches: Sequence[int], rng: np.random.Generator
) -> None:
    tokens = settings.adapter.tokens or settings.vision.tokens
    timed = []
    for source, speed in {
        "memory": 2400,
        "text": 2300,
        "store": 2200,
        **({"online": 70} if settings.online else {}),
    }.items():
        for batch in batches:
            seconds = batch / (speed * batch / (batch + 8) * 12 / (tokens + 10))
            spread = 1 + rng.random(2) * 0.1
            timing = Timing(seconds, seconds / spread[0], seconds * spread[1], 7)
            facts = {
                "variant": variant,
                "tokens": tokens,
                "precision": "bf16",
                "kb_per_image": tokens * WIDTH * 2 / 1000,
            }
            timed.append(timing_row(timing, source=source, batch=batch, pairs=batch, **facts))
    facts = environment(threads=1, precision="bf16")
    write_result(folder, "efficiency", pd.DataFrame(timed), efficiency_metrics(timed), MADE, environment=facts)
