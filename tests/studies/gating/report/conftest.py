"""A synthetic gating study, written by the real functions, and parts of one."""

import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.data.canonical import ImageRow, write_set
from compactvl.evaluation.gates import gates_metrics
from compactvl.evaluation.language import CONTEXT_AND_TEXT, build_requests, language_metrics
from compactvl.evaluation.language_tasks import LanguageTask
from compactvl.evaluation.results import write_result
from compactvl.files import write_json
from compactvl.records.record import MANIFEST, Made, write
from compactvl.studies.gating.report.results import GatingResults

REPOSITORY = Path(__file__).parents[4]
VARIANTS = list(GatingResults.LABELS)
MADE = Made("evaluate", "")
NGRAMS = ("unigram", "bigram")
SCALES = [f"{arm}scale_{n}" for arm in ("", "no_gate_") for n in (8, 4, 2, 1)]
UNGATED = ("no_gate", "text_trunk", "no_images", "text_only", "random", *NGRAMS)
SKILL = {
    "random": 0.0,
    "unigram": 0.1,
    "bigram": 0.3,
    "text_trunk": 0.6,
    "no_images": 0.6,
    "base": 1.6,
    "lcg": 0.7,
    "clip": 1.2,
}
IMAGES, LAYERS = 24, 4
WORDS = [("a", "DET"), ("red", "ADJ"), ("square", "NOUN"), ("to", "ADP"), ("the", "DET"), ("left", "NOUN"),
         ("of", "ADP"), ("two", "NUM"), ("circles", "NOUN"), ("shown", "VERB"), ("here", "ADV")]  # fmt: skip
LOW = {"NOUN": 0.42, "ADJ": 0.44, "NUM": 0.45, "VERB": 0.5, "ADV": 0.52, "DET": 0.6, "ADP": 0.62}
TASK_SETTINGS = {
    "pairs": LanguageTask(kind="minimal_pairs", dataset="brown_pairs"),
    "ewok": LanguageTask(kind="ewok", dataset="scene_ewok"),
    "vqa": LanguageTask(kind="ranked_answers", dataset="scene_vqa", images="scenes"),
    "winoground": LanguageTask(kind="winoground", dataset="swaps", images="swaps"),
    "text_perplexity": LanguageTask(kind="perplexity", dataset="brown"),
    "caption_perplexity": LanguageTask(
        kind="perplexity", dataset="scenes", images="scenes", text_column="caption"
    ),
}  # fmt: skip


def image_ids(n: int = IMAGES) -> list[str]:
    return [f"test-{i:05d}" for i in range(n)]


def items_of(task: str) -> pd.DataFrame:
    def rows(n, make):
        return pd.DataFrame([{"item_id": f"{task}-{i:03d}", "split": "test", **make(i)} for i in range(n)])

    images = image_ids()
    match task:
        case "pairs":
            # Phenomena of different sizes: a mean over phenomena is not a mean over items.
            return rows(90, lambda i: {"text_good": "he goes", "text_bad": "he go", "phenomenon": f"p{int(i > 20)}"})
        case "ewok":
            text = {"context_0": "x", "context_1": "y", "target_0": "a", "target_1": "b"}
            return rows(60, lambda i: text | {"domain": ["spatial", "quantity"][i % 2]})
        case "vqa":
            others = json.dumps([f"n{k}" for k in range(7)])
            return rows(72, lambda i: {"image_id": images[i % IMAGES], "question": "how many?", "answer": "two",
                                       "distractors": others, "type": ["number", "object"][i % 2]})  # fmt: skip
        case "winoground":
            return rows(40, lambda i: {"image_0": f"w{i}-0", "image_1": f"w{i}-1", "caption_0": "a b", "caption_1":
                                       "b a", "kind": ["left_right", "count"][i % 2]})  # fmt: skip
        case "text_perplexity":
            return rows(40, lambda i: {"text": "word " * (3 + i % 5) + "end"})
        case "caption_perplexity":
            return rows(48, lambda i: {"image_id": images[i % IMAGES], "caption": "a cat and a dog"})


def language(skill: float, rng: np.random.Generator, tasks: dict) -> pd.DataFrame:
    parts = []
    for name, task in tasks.items():
        table = build_requests(name, task, items_of(name), ["own", "none", "other"])
        right = table["role"].isin(["good", "c0t0", "c1t1", "answer", "s00", "s11"])
        seen = (table["condition"] == "own") | (task.images is None)
        noise = rng.normal(size=len(table)) * (0.2 if task.kind == "perplexity" else 1.0)
        table["log_prob"] = -2.0 * table["words"] + noise + right * skill * seen
        if task.kind == "perplexity":
            table["log_prob"] += table["words"] * (skill - 3 + 0.3 * (seen & (task.images is not None)))
        parts.append(table.assign(tokens=table["words"] + 1).drop(columns=CONTEXT_AND_TEXT))
    return pd.concat(parts, ignore_index=True)


def gate_table(spread: float, rng: np.random.Generator, norms: bool = False) -> pd.DataFrame:
    rows = []
    for i, image in enumerate(image_ids()):
        for position, (word, pos) in enumerate(WORDS[: 5 + i % 7]):
            means = 0.5 + (LOW[pos] - 0.5) * spread * (np.arange(1, LAYERS + 1) / LAYERS)
            rows.append(row("captions", f"c{i}", image, position, word, pos, means + rng.normal(size=LAYERS) * 0.02))
        for number, condition in enumerate(("necessary", "useful", "irrelevant")):
            gates = 0.5 + 0.05 * spread * (number - 1) + rng.normal(size=LAYERS) * 0.02
            own, alone = rng.random() < (0.6, 0.8, 0.97)[number], rng.random() < (0.25, 0.5, 0.97)[number]
            probe = row("probe", f"p{i}-{number}", image, 3, "dogs", "NOUN", gates)
            rows.append(probe | {"condition": condition, "correct": float(own), "correct_no_image": float(alone)})
    table = pd.DataFrame(rows)
    if norms:
        table["concreteness"] = table["word"].map({w: 1.0 + n % 4 for n, (w, _) in enumerate(WORDS)}).fillna(4.9)
    return table


def row(source, item, image, position, word, pos, gates) -> dict:
    frequency = 5.0 - len(word) / 2
    facts = {"source": source, "item_id": item, "image_id": image, "position": position, "word": word, "pos": pos}
    layers = {f"gate_{n}": np.float32(value) for n, value in enumerate(gates)}
    rest = {"gate_sd": np.float32(0.1), "surprisal": 2.0, "surprisal_no_image": 2.5, "condition": ""}
    return facts | {"pieces": 1, "frequency": frequency, "concreteness": np.nan} | layers | rest | {
        "correct": np.nan, "correct_no_image": np.nan
    }  # fmt: skip


def write_log(folder: Path, unsteady: float, rng: np.random.Generator) -> None:
    lines = []
    for step in range(1, 161):
        line = {"step": step, "seen": 64 * step, "loss": 6 - step / 50, "stream": "text"}
        if step % 20 == 0:
            epoch, swing = step // 20, unsteady * (-1) ** (step // 20)
            line |= {"epoch": epoch, "val_pairs": 0.5 + 0.02 * epoch, "val_vqa": 0.3 + swing + rng.normal() * 0.005}
            line |= {"val_text_perplexity": 900 / epoch, "val_caption_perplexity": 30 / epoch}
        lines.append(json.dumps(line))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_scenes(folder: Path) -> None:
    images = []
    for n, image in enumerate(image_ids()):
        canvas = Image.new("RGB", (96, 96), "white")
        ImageDraw.Draw(canvas).rectangle((10, 10, 30 + n, 60), fill=["red", "teal", "orange"][n % 3])
        buffer = io.BytesIO()
        canvas.save(buffer, "PNG")
        images.append(ImageRow(image, buffer.getvalue(), "test"))
    items = pd.DataFrame(
        {"item_id": image_ids(), "image_id": image_ids(), "split": "test", "caption": "a", "pos": "DET"}
    )
    write_set(folder, "scenes", images, items, Made("curate", ""), settings={})


def caption_words(contrast: float, *, spread: float = 0.05, noise: float = 0.0, captions: int = 40) -> pd.DataFrame:
    """Captions of a content and a function word each, in pairs that differ by ``contrast``; last layer only."""
    rng, rows = np.random.default_rng(3), []
    for i, place in itertools.product(range(captions), range(4)):
        middle = 0.5 + spread * rng.normal()
        for side, (word, pos) in enumerate((("square", "NOUN"), ("the", "DET"))):
            gate = middle + contrast * (0.5 - side) + noise * rng.normal()
            rows.append(row("captions", f"c{i}", f"i{i}", 2 * place + side, word, pos, [0.3 + 0.4 * (i % 2), gate]))
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def variants() -> dict:
    """Settings of the demo's variants as a run holds them."""
    found = Plan(load_config(base=REPOSITORY / "config.yaml")).studies["gating"].variants
    return {name: own.model_copy(update={"benchmarks": (), "seeds": None}) for name, own in found.items()}


@pytest.fixture(scope="session")
def write_variant(variants) -> Callable[..., None]:
    """Write the results and the run of a variant whose answers are right the more often the larger ``skill``."""

    def write_one(root: Path, variant: str, skill: float, *, tasks: dict = TASK_SETTINGS, norms: bool = False) -> None:
        rng = np.random.default_rng(sum(map(ord, variant)))
        folder, run = (root / kind / "gating" / variant / "seed0" for kind in ("results", "runs"))
        predictions = language(skill, rng, tasks)
        write_result(folder, "language", predictions, language_metrics(predictions, tasks), MADE)
        if variant not in UNGATED and not variant.startswith("no_gate"):
            gates = gate_table(skill / 1.6 if variant != "hard_token" else 0.0, rng, norms)
            if variant == "hard_token":
                gates[[f"gate_{n}" for n in range(LAYERS)]] = np.float32(0.7)
            write_result(folder, "gates", gates, gates_metrics(gates), MADE)
        write_json(run / "settings.json", variants[variant].model_dump(mode="json") if variant in variants else {})
        write(run / MANIFEST, Made("train", ""), [], steps=1000, seen=64_000)
        if variant.startswith("curriculum"):
            write_log(run, 0.08 if variant in ("curriculum_text_first", "curriculum_caption_first") else 0.005, rng)

    return write_one


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """What tests make parts of a study of."""
    return SimpleNamespace(tasks=TASK_SETTINGS, items_of=items_of, row=row, caption_words=caption_words)


@pytest.fixture
def gate_study(tmp_path, collect_all) -> Callable[..., GatingResults]:
    """A study of gates tables: variant → its table, or one a seed."""

    def build(**found: pd.DataFrame | list[pd.DataFrame]) -> GatingResults:
        for variant, seeds in found.items():
            for seed, table in enumerate([seeds] if isinstance(seeds, pd.DataFrame) else seeds):
                folder = tmp_path / "results" / "gating" / variant / f"seed{seed}"
                write_result(folder, "gates", table, gates_metrics(table), MADE)
        collect_all(tmp_path / "results", "gating")
        return opened(tmp_path)

    return build


@pytest.fixture(scope="session")
def collected(collect_all) -> Callable[[Path], GatingResults]:
    """Collect the results below a folder and open them."""

    def collect_and_open(root: Path) -> GatingResults:
        collect_all(root / "results", "gating")
        return opened(root)

    return collect_and_open


def opened(root: Path) -> GatingResults:
    return GatingResults("gating", root / "results", root / "runs")


@pytest.fixture(scope="session")
def gating_tree(tmp_path_factory, write_variant, collect_all) -> Path:
    root = tmp_path_factory.mktemp("gating")
    for variant in [*VARIANTS, *SCALES]:
        share = variant.rpartition("scale_")[2] if "scale_" in variant else ""
        write_variant(root, variant, 1.4 / np.sqrt(int(share)) if share else SKILL.get(variant, 1.3))
    write_scenes(root / "data" / "sets" / "scenes")
    parts = [(v, part, n) for v in VARIANTS for part, n in (("decoder", 4_000_000), ("gates", len(v) * 1000))]
    table = pd.DataFrame(parts, columns=["variant", "part", "parameters"])
    path = root / "results" / "gating" / "parameters.csv"
    table.to_csv(path, index=False)
    write(path.with_suffix(".json"), Made("parameters", ""), [path])
    collect_all(root / "results", "gating")
    return root


@pytest.fixture
def study(gating_tree) -> GatingResults:
    return opened(gating_tree)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture
def raw(study) -> Callable[..., pd.DataFrame]:
    """Requests of a variant's task and condition, from the predictions."""

    def rows(variant: str, task: str, condition: str) -> pd.DataFrame:
        table = study.predictions(variant, "language")[0]
        return table[(table["task"] == task) & (table["condition"] == condition)]

    return rows
