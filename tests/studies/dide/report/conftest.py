"""A results tree of DiDE with planted scores, written by the real functions."""

import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.data.canonical import ImageRow, write_set
from compactvl.data.pairs import Pairs
from compactvl.evaluation.classification import classification_metrics
from compactvl.evaluation.pairs import first_stage_table
from compactvl.evaluation.results import Metric, write_result
from compactvl.evaluation.retrieval import retrieval_metrics
from compactvl.files import write_json
from compactvl.records.record import Made, write_record
from compactvl.studies.dide.report.results import DideResults
from compactvl.studies.jobs import parameter_table

REPOSITORY = Path(__file__).parents[4]
MADE = Made("evaluate", "")
ITEMS, TYPES = 1200, ("existence", "count", "what")
RIGHT = {
    "teacher": 0.8, "blind": 0.3, "shuffled_images": 0.3, "random": 0.2, "dual": 0.5, "dual_soft": 0.5, "dual_attention": 0.6,
    "dual_distilled": 0.6, "dual_distilled_layers": 0.6, "dual_distilled_hard": 0.6, "dual_distilled_pretrained": 0.7,
}  # fmt: skip
"""Share of right answers of each variant; the same items are easy for all."""
TIMES = {"teacher": {"": 100.0}, "dual": {"": 10.0, "/questions1": 90.0, "/questions16": 15.0}}
"""Milliseconds a question."""


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def study(tree) -> DideResults:
    """The tree's results."""
    return DideResults("dide", tree / "results", tree / "runs")


@pytest.fixture(scope="session")
def tree(tmp_path_factory, collect_all) -> Path:
    """The tree of a whole study: results, runs, sets."""
    root = tmp_path_factory.mktemp("tree")
    write_sets(root / "data" / "sets")
    rng = np.random.default_rng(0)
    ease = rng.random(ITEMS)
    variants = Plan(load_config(base=REPOSITORY / "config.yaml")).studies["dide"].variants
    for name, settings in variants.items():
        folder = root / "results" / "dide" / name / "seed0"
        for benchmark in settings.benchmarks:
            if benchmark == "latency":
                write_times(folder, name)
            elif benchmark == "scenes":
                write_hits(folder, 3.0 if "attention" in name else 2.0)
            else:
                stem = name.removesuffix("_entail").removesuffix("_easy").removesuffix("_pairs")
                write_answers(folder, benchmark, ease < RIGHT[stem])
        write_run(root / "runs" / "dide" / name / "seed0", settings)
    write_parameters(root / "results" / "dide", variants)
    collect_all(root / "results")
    collect_all(root / "results", "dide")
    return root


def write_sets(folder: Path) -> None:
    """Eight pictures, and a question about each."""
    names = [f"test-{i:05d}" for i in range(8)]
    images = []
    for number, name in enumerate(names):
        buffer = io.BytesIO()
        Image.new("RGB", (32, 32), (30 * number, 80, 160)).save(buffer, "PNG")
        images.append(ImageRow(name, buffer.getvalue(), "test"))
    items = pd.DataFrame({"item_id": names, "image_id": names, "split": "test", "caption": names, "pos": ""})
    write_set(folder / "scenes", "scenes", images, items, Made("curate", ""), settings={})
    asked = items.assign(item_id=[f"q{i}" for i in range(8)], question="is there a dog ?", answer="yes")
    facts = {"answers": ["yes", "no"], "majority": {"test": {"a": 0.5, "b": 0.3}}, "blind": {"test": {"all": 0.35}}}
    for name in ("scene_qa", "scene_entail"):
        write_set(
            folder / name, name, [], asked, Made("curate", ""), settings={}, text_only=True, images_of="scenes", **facts
        )


def write_answers(folder: Path, benchmark: str, right: np.ndarray) -> None:
    group = np.array(TYPES)[np.arange(ITEMS) % 3] if benchmark in ("scene_qa", "easy_vqa") else ""
    table = pd.DataFrame(
        {
            "item_id": [f"q{i}" for i in range(ITEMS)],
            "cluster": [f"image-{i // 3}" for i in range(ITEMS)],
            "group": group,
            "prediction": np.where(right, "yes", "no"),
            "target": "yes",
            "score": right.astype(float),
            "ties": 1,
            "chance": 0.25,
        }
    )
    if benchmark == "scene_qa":
        table["answers"] = json.dumps(["yes"] * 10)
    write_result(folder, benchmark, table, classification_metrics(table), MADE)


def write_hits(folder: Path, skill: float) -> None:
    rng = np.random.default_rng(3)
    captions = [f"caption {i}" for i in range(90)]
    pairs = Pairs([f"image-{i}" for i in range(90)], captions, np.arange(90))
    table = first_stage_table((np.eye(90) * skill + rng.normal(size=(90, 90))).astype(np.float32), pairs, 10, 1)
    write_result(folder, "scenes", table, retrieval_metrics(table, [10]), MADE, settings={"pools": [10]})


def write_times(folder: Path, variant: str) -> None:
    metrics = [
        Metric(f"ms/{size}/batch16{name}", scale * ms, scale * ms * 0.9, scale * ms * 1.1, 5, None, False)
        for size, scale in (("own", 0.1), ("published", 1.0))
        for name, ms in TIMES[variant].items()
    ]
    table = pd.DataFrame({"size": ["own"], "batch": [16], "part": ["question"], "ms": [1.0]})
    write_result(folder, "latency", table, metrics, MADE, environment={"device": "cpu", "threads": 1})


def write_run(folder: Path, settings: object) -> None:
    write_json(folder / "settings.json", settings.model_dump(mode="json"))
    lines = [
        {"step": s, "seen": 64 * s, "loss": 4 - s / 50, "score": s / 200, "attention": 0.5 - s / 500}
        for s in range(0, 101, 10)
    ]
    lines[-1]["val_score"] = 0.4
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_record(folder / "manifest.json", {"stage": "train", "steps": 100, "seen": 6400})
    maps = np.zeros((8, 4, 17), np.float32)
    maps[:, :, 1 + 5] = 1.0
    np.savez(
        folder / "analysis.npz",
        maps=maps,
        item_ids=np.array([f"q{i}" for i in range(8)]),
        pieces=np.array([["[CLS]", "dog", "[SEP]", ""]] * 8),
    )


def write_parameters(folder: Path, variants: dict) -> None:
    from compactvl.records.record import write

    path = folder / "parameters.csv"
    parameter_table(variants).to_csv(path, index=False)
    write(path.with_suffix(".json"), Made("parameters", ""), [path])
