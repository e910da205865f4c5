"""The gating report over a synthetic study: numbers against their definition, what figures draw, what is absent."""

import io
import itertools
import json
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw
from scipy import stats

from compactvl.data.canonical import ImageRow, write_set
from compactvl.evaluation.collect import collect, find_results
from compactvl.evaluation.gates import CONDITIONS, gates_metrics
from compactvl.evaluation.language import CONTEXT_AND_TEXT, build_requests, language_metrics
from compactvl.evaluation.language_tasks import LanguageTask
from compactvl.evaluation.results import write_result
from compactvl.files import write_json
from compactvl.records.record import MANIFEST, Made, hashes, write
from compactvl.reporting import gating
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, claims_table
from compactvl.reporting.gating import figures, gate_claims, tables
from compactvl.reporting.gating.checkpoints import checkpoints, oscillation, reversals, sampling_noise, seed_checkpoints
from compactvl.reporting.gating.items import (
    Score,
    common_difference,
    difference,
    language_tasks,
    mean_difference,
    surprisal_difference,
)
from compactvl.reporting.gating.labels import TASKS, VARIANTS, label
from compactvl.reporting.gating.numbers import signed
from compactvl.reporting.gating.words import contrast_change, gate_words, means_apart, parts_of_speech
from compactvl.reporting.render import render
from compactvl.reporting.sources import open_set
from compactvl.reporting.study import NotRun, StudyResults

REPORT = Path(__file__).parents[2] / "reports" / "gating.py"
NGRAMS = ("unigram", "bigram")
SCALES = [f"{arm}scale_{n}" for arm in ("", "no_gate_") for n in (8, 4, 2, 1)]
MADE = Made("evaluate", "")
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
TAKEN_AWAY = "Base: image taken away (a mode its training did not have)"
FIGURES = {"captions", "choices", "frequency", "gate_by_layer", "gate_by_pos", "probe", "scaling", "stability"}
CLAIMS = {
    "main": "base", "no_gate": "no_gate", "hard": "hard_feature", "text_only": "no_images",
    "modulations": ["film_text", "dyintra_image"], "contrastive": ["clip", "lcg"],
    "alternating": ["curriculum_text_first"], "mixed": ["curriculum_mixed"],
    "captions_only": "curriculum_captions_only", "both_streams": "curriculum_text_first", "patches": "patches",
    "ngrams": list(NGRAMS), "smallest": "scale_8", "largest": "scale_1",
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


def collect_all(results: Path) -> None:
    collect(results, Made("collect", "", inputs=hashes(find_results(results, "gating"))), "gating")


def write_variant(root: Path, variant: str, skill: float, *, tasks: dict = TASK_SETTINGS, norms: bool = False) -> None:
    rng = np.random.default_rng(sum(map(ord, variant)))
    folder, run = (root / kind / "gating" / variant / "seed0" for kind in ("results", "runs"))
    predictions = language(skill, rng, tasks)
    write_result(folder, "language", predictions, language_metrics(predictions, tasks), MADE)
    if variant not in UNGATED and not variant.startswith("no_gate"):
        gates = gate_table(skill / 1.6 if variant != "hard_token" else 0.0, rng, norms)
        if variant == "hard_token":
            gates[[f"gate_{n}" for n in range(LAYERS)]] = np.float32(0.7)
        write_result(folder, "gates", gates, gates_metrics(gates), MADE)
    start = "text_trunk" if variant in ("base", "clip") else None
    write_json(run / "settings.json", {"kind": "decoder", "start": start, "monitor": {"items": 50}})
    write(run / MANIFEST, Made("train", ""), [], pairs=64_000)
    if variant.startswith("curriculum"):
        write_log(run, 0.08 if variant in ("curriculum_text_first", "curriculum_caption_first") else 0.005, rng)


@pytest.fixture(scope="module")
def gating_tree(tmp_path_factory) -> Path:
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
    collect_all(root / "results")
    return root


@pytest.fixture(scope="module")
def study(gating_tree) -> StudyResults:
    return StudyResults("gating", gating_tree / "results", gating_tree / "runs")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def raw(study, variant, task, condition) -> pd.DataFrame:
    table = study.predictions(variant, "language")[0]
    return table[(table["task"] == task) & (table["condition"] == condition)]


def test_benchmark_table_holds_the_numbers_of_the_predictions(study):
    table = tables.benchmark_table(study, ["base", "nobody", "clip"], main="base", controls=["random"])
    base = label("base")
    assert table["model"].tolist() == [base, "CLIP loss", "Base: another image", TAKEN_AWAY,
                                       "Random scores (control)", "Chance"]  # fmt: skip
    table = table.set_index("model")
    wide = raw(study, "base", "pairs", "none").pivot(index=["group", "item_id"], columns="role", values="log_prob")
    macro = 100 * (wide["good"] > wide["bad"]).groupby("group").mean().mean()
    assert table.loc[base, "Minimal pairs"].split()[0] == f"{macro:.1f}"
    for condition, name in {"own": base, "none": TAKEN_AWAY, "other": "Base: another image"}.items():
        wide = raw(study, "base", "vqa", condition).pivot(index="item_id", columns="choice", values="log_prob")
        assert table.loc[name, "VQA"].split()[0] == f"{100 * (wide[0] > wide[range(1, 8)].max(axis=1)).mean():.1f}"
    rows = raw(study, "base", "text_perplexity", "none")
    perplexity = np.exp(-rows["log_prob"].sum() / rows["tokens"].sum())
    assert table.loc[base, "Text perplexity"].split()[0] == f"{perplexity:.1f}"
    assert table.loc["Chance"].tolist() == ["50.0", "50.0", "12.5", "50.0", "–", "–"]
    assert table.loc[TAKEN_AWAY, "Minimal pairs"] == "–"


def test_differences_are_those_of_the_metrics(study):
    for task in ("pairs", "ewok", "vqa", "winoground"):
        mean, low, high = difference(study, Score("base", task), Score("lcg", task))
        a, b = (study.estimate(v, "language", task).value for v in ("base", "lcg"))
        assert mean == pytest.approx(a - b, abs=1e-5)
        assert low < mean < high
    pairs = [(Score("base", t), Score("lcg", t)) for t in ("pairs", "vqa")]
    assert mean_difference(study, pairs)[0] == pytest.approx(np.mean([difference(study, *p)[0] for p in pairs]))
    many = [Score(v, "winoground") for v in ("clip", "lcg")]
    each = [difference(study, one, Score("base", "winoground"))[0] for one in many]
    assert common_difference(study, many, Score("base", "winoground"))[0] == pytest.approx(np.mean(each))
    assert difference(study, Score("base", "vqa"), Score("nobody", "vqa")) is None
    assert common_difference(study, [], Score("base", "vqa")) is None
    ratio = np.divide(*(study.estimate(v, "language", "text_perplexity").value for v in ("unigram", "base")))
    score = surprisal_difference(study, Score("unigram", "text_perplexity"), Score("base", "text_perplexity"))
    assert np.exp(score[0]) == pytest.approx(ratio, rel=1e-4)
    assert surprisal_difference(study, Score("base", "text_perplexity"), Score("nobody", "x")) is None


def outcomes(study, **changed):
    return {claim.id: claim.test(study) for claim in gating.gating_claims(**CLAIMS | changed)}


def test_claims_follow_the_data(study):
    found = outcomes(study)
    for name in ("pos", "content", "contrastive", "oscillation", "probe", "scale", "own_image", "image_helps", "unigram",
                 "bigram", "pairs_bigram", "chance", "collapse"):  # fmt: skip
        assert found[name].verdict == HOLDS, (name, found[name])
    for name in ("concreteness", "regression"):
        assert found[name].verdict == OPEN
        assert "no concreteness norms are configured" in found[name].evidence
    words = gate_words(study, "base")
    h = stats.kruskal(*(part["gate"] for _, part in words.groupby("pos"))).statistic
    assert f"H = {h:,.1f}" in found["pos"].evidence
    means = words.groupby("word_class")["gate"].mean()
    assert (
        f"content words {means['content']:.3f}, of function words {means['function']:.3f}" in found["content"].evidence
    )
    assert outcomes(study, main="hard_token")["collapse"].verdict == FAILS
    assert outcomes(study, main="hard_token")["pos"].verdict == FAILS
    assert found["captions_only"].verdict == OPEN
    assert outcomes(study, main="lcg", contrastive=["base"])["contrastive"].verdict == FAILS
    absent = outcomes(study, **{k: "nobody" if isinstance(v, str) else ["nobody"] for k, v in CLAIMS.items()})
    assert {outcome.verdict for outcome in absent.values()} == {OPEN}
    assert all("not run in this size" in outcome.evidence for outcome in absent.values())


def test_what_does_not_hold_is_said(study):
    claims = gating.gating_claims(**CLAIMS | {"main": "hard_token"})
    judged = claims_table(study, claims)
    text = gating.does_not_hold(judged)
    failed = judged[judged["verdict"] == FAILS]
    assert len(failed)
    assert all(f"**{claim}**" in text for claim in failed["claim"])
    assert "Not decided here" in text
    assert "collapsed to a constant** in Hard gate, per token" in gating.collapse_note(study, ["base", "hard_token"])
    assert "varies between words" in gating.collapse_note(study, ["base", "no_gate"])
    assert gating.collapse_note(study, ["no_gate"]) == ""
    assert "start from `text_trunk`" in gating.start_note(study, "base", "text_trunk")


def test_means_apart_and_their_change(study):
    values, first = np.array([1.0, 3.0, 2.0, 6.0]), np.array([True, True, False, False])
    mean, low, high = means_apart(values, first)
    assert mean == -2
    assert low < mean < high
    a, b = gate_words(study, "scale_8"), gate_words(study, "base")
    change = np.subtract(*(t.groupby("word_class")["gate"].mean() @ [1, -1] for t in
                           (b[["word_class", "gate"]], a[["word_class", "gate"]])))  # fmt: skip
    found = contrast_change(a, b)
    assert found.after[0] - found.before[0] == pytest.approx(change)
    assert found.apart[0] == pytest.approx(abs(found.after[0]) - abs(found.before[0]))
    assert found.apart[1] < found.apart[0] < found.apart[2]


def test_gate_tables(study):
    table = tables.gates_table(study, ["base", "no_gate", "hard_token"]).set_index("model")
    assert table.index.tolist() == [label("base"), "Hard gate, per token"]
    assert (
        table.loc["Hard gate, per token", "sd over words by layer"] == "0.0000*, 0.0000*, 0.0000*, 0.0000* (collapsed)"
    )
    assert table.loc[label("base"), "ρ concreteness"] == "–"
    order = parts_of_speech(gate_words(study, "base"))
    assert len(tables.dunn_table(study, "base")) == len(order)
    assert tables.regression_table(study, "base")["term"].tolist()[1:3] == ["frequency", "content word"]
    shown = tables.probe_table(study, ["base"])
    assert shown["the image is"].tolist() == ["necessary", "useful", "irrelevant"]
    assert shown["words before"].tolist() == ["3.0"] * 3
    assert tables.groups_table(study, ["base"])["group"].tolist()[:2] == ["p0", "p1"]
    assert tables.winoground_table(study, ["base"]).iloc[-1].tolist() == ["Chance", "50.0", "25.0", "25.0", "16.7"]
    assert tables.ties_table(study, ["base"])["VQA"].tolist() == ["0.0"]


def caption_words(contrast: float, *, spread: float = 0.05, noise: float = 0.0, captions: int = 40) -> pd.DataFrame:
    """Captions of a content and a function word each, in pairs that differ by ``contrast``; last layer only."""
    rng, rows = np.random.default_rng(3), []
    for i, place in itertools.product(range(captions), range(4)):
        middle = 0.5 + spread * rng.normal()
        for side, (word, pos) in enumerate((("square", "NOUN"), ("the", "DET"))):
            gate = middle + contrast * (0.5 - side) + noise * rng.normal()
            rows.append(row("captions", f"c{i}", f"i{i}", 2 * place + side, word, pos, [0.3 + 0.4 * (i % 2), gate]))
    return pd.DataFrame(rows)


def gate_study(root: Path, **found: pd.DataFrame | list[pd.DataFrame]) -> StudyResults:
    for variant, seeds in found.items():
        for seed, table in enumerate([seeds] if isinstance(seeds, pd.DataFrame) else seeds):
            write_result(
                root / "results" / "gating" / variant / f"seed{seed}", "gates", table, gates_metrics(table), MADE
            )
    collect_all(root / "results")
    return StudyResults("gating", root / "results", root / "runs")


@pytest.mark.parametrize(
    ("before", "after", "noise", "verdict", "said"),
    [
        (0.010, -0.030, 0.0, OPEN, "different signs"),
        (-0.010, -0.001, 0.05, OPEN, "may be none at all"),
        (-0.010, -0.040, 0.0, HOLDS, ""),
        (0.010, 0.040, 0.0, HOLDS, ""),
        (-0.040, -0.010, 0.0, FAILS, ""),
        (0.040, 0.010, 0.0, FAILS, ""),
        (-0.0100, -0.0102, 0.0, FAILS, "surely smaller"),
    ],
)
def test_gates_move_apart_only_with_the_same_sign(before, after, noise, verdict, said, tmp_path):
    study = gate_study(tmp_path, scale_8=caption_words(before), scale_1=caption_words(after, noise=noise))
    found = gate_claims.scale(study, smallest="scale_8", largest="scale_1")
    assert found.verdict == verdict, found
    assert said in found.evidence


def test_a_difference_without_size_does_not_hold(tmp_path):
    study = gate_study(tmp_path, tiny=caption_words(-0.0002), clear=caption_words(-0.03))
    tiny, clear = (gate_claims.content(study, variant=variant) for variant in ("tiny", "clear"))
    assert study.estimate("tiny", "gates", "content_minus_function").high < 0, "significant all the same"
    assert (tiny.verdict, clear.verdict) == (FAILS, HOLDS)
    assert "surely smaller" in tiny.evidence
    low, high = gate_words(study, "clear")["gate"].quantile([0.05, 0.95])
    assert f"5% to 95% of the words' gates: {low:.3f} to {high:.3f}" in clear.evidence
    assert gate_claims.content(gate_study(tmp_path, up=caption_words(0.03)), variant="up").verdict == FAILS


def test_collapsed_gates_decide_nothing(tmp_path):
    flat = caption_words(-0.008, spread=0.002).assign(concreteness=lambda t: 5.0 - (t["pos"] == "DET"))
    probe = pd.DataFrame(
        [row("probe", f"p{i}{c}", f"i{i}", 3, "x", "NOUN", [0.5, 0.5 - 0.008 * (c == "necessary")])
         | {"condition": c, "correct": 1.0, "correct_no_image": 0.0} for i in range(30) for c in CONDITIONS]
    )  # fmt: skip
    study = gate_study(tmp_path, flat=pd.concat([flat, probe], ignore_index=True), wide=caption_words(-0.03))
    assert study.estimate("flat", "gates", "spearman_concreteness").high < 0
    for test in (gate_claims.pos, gate_claims.content, gate_claims.concreteness, gate_claims.explained,
                 gate_claims.probe):  # fmt: skip
        found = test(study, variant="flat")
        assert found.verdict == FAILS, test
        assert found.evidence.startswith("the gates have collapsed"), test
        assert "5% to 95%" in found.evidence or test is gate_claims.explained
    assert gate_claims.scale(study, smallest="wide", largest="flat").verdict == FAILS
    assert gate_claims.scale(study, smallest="flat", largest="wide").verdict == OPEN


def test_every_layer_is_judged(tmp_path):
    study = gate_study(tmp_path, part=caption_words(-0.03).assign(gate_0=np.float32(0.4)))
    found = gate_claims.not_collapsed(study, variant="part")
    assert found.verdict == FAILS
    assert "by layer: 1 0.0000 (constant), 2 0.0" in found.evidence
    assert gate_claims.content(study, variant="part").verdict == HOLDS, "the last layer's gate is the one analysed"
    assert "layers before the last" in (note := gating.collapse_note(study, ["part"]))
    assert "part (layer 1)" in note


def test_numbers_about_words_are_of_one_seed(tmp_path):
    study = gate_study(tmp_path, base=[caption_words(-0.03), caption_words(-0.06)])
    first = {name: study.metrics.query("metric == @name and seed == 0")["value"].item() for name in
             ("kruskal_h", "epsilon_squared", "content_minus_function")}  # fmt: skip
    assert study.estimate("base", "gates", "kruskal_h").value > first["kruskal_h"]
    found = gate_claims.pos(study, variant="base").evidence
    assert f"H = {first['kruskal_h']:,.1f}" in found
    assert f"ε² = {first['epsilon_squared']:.3f}" in found
    assert "first of 2 seeds" in found
    found = gate_claims.content(study, variant="base").evidence
    assert f"difference {first['content_minus_function']:+.3f}".replace("-", "−") in found
    assert "first of 2 seeds" in found
    assert tables.gates_table(study, ["base"])["content − function"].iloc[0].startswith("−0.030")
    rho = study.metrics.query("metric == 'spearman_frequency' and seed == 0")["value"].item()
    (axes,) = figures.gate_scatter(study, variant="base", column="frequency").axes
    assert f"{rho:+.3f}".replace("-", "−") in axes.get_title()


def test_an_effect_needs_size_and_certainty():
    judge = gate_claims._sized
    assert judge((0.3, 0.1, 0.5), 0.2, "").verdict == HOLDS
    assert judge((0.3, -0.1, 0.7), 0.2, "").verdict == OPEN
    assert judge((0.1, 0.05, 0.15), 0.2, "").verdict == FAILS
    assert judge((0.1, 0.05, 0.3), 0.2, "").verdict == OPEN
    assert judge((-0.3, -0.5, -0.1), 0.2, "").verdict == FAILS


def test_pairs_are_told_apart_by_what_the_bigram_makes_of_them(study):
    good = {}
    for variant in ("base", "bigram"):
        wide = raw(study, variant, "pairs", "none").pivot(index="item_id", columns="role", values="log_prob")
        good[variant] = wide["good"] > wide["bad"]
    table = tables.pairs_table(study, ["base", "bigram", "nobody"])
    assert table["model"].tolist() == [label("base")]
    wrong = (~good["bigram"]).sum()
    assert table.columns[2:].tolist() == [
        f"Bigram (control) wrong ({wrong} pairs)",
        f"Bigram (control) right ({90 - wrong} pairs)",
    ]
    for column, part in zip(table.columns[2:], (~good["bigram"], good["bigram"]), strict=True):
        assert table[column].iloc[0].split()[0] == f"{100 * good['base'][part].mean():.1f}"
    found = outcomes(study)["pairs_bigram"]
    assert f"{100 * good['base'][~good['bigram']].mean():.1f} [" in found.evidence
    assert f"on the {wrong} it gets wrong" in found.evidence
    assert outcomes(study, main="random")["pairs_bigram"].verdict != HOLDS


def test_captions_only_is_not_judged_in_a_mode_it_never_ran_in(study):
    found = outcomes(study, captions_only="lcg", both_streams="base")["captions_only"]
    assert found.verdict == OPEN
    assert "never trained without an image" in found.evidence
    assert f"{100 * difference(study, Score('lcg', 'pairs'), Score('base', 'pairs'))[0]:+.1f}".replace("-", "−") in (
        found.evidence
    )


def test_the_image_helps_against_the_control_without(study):
    found = outcomes(study)["image_helps"]
    for task in ("vqa", "winoground"):
        gain = difference(study, Score("base", task, "own"), Score("no_images", task))[0]
        assert f"{100 * gain:+.1f} points" in found.evidence
    assert outcomes(study, main="no_images", text_only="base")["image_helps"].verdict == FAILS
    table = tables.image_table(study, ["base"], "no_images").set_index("task")
    assert table.columns.tolist()[1:] == ["own image", "another image", TAKEN_AWAY.removeprefix("Base: "),
                                          "Images withheld (control)"]  # fmt: skip
    control = study.estimate("no_images", "language", "vqa")
    assert table.loc["VQA", "Images withheld (control)"].startswith(f"{100 * control.value:.1f} [")


def test_captions_need_their_images(study):
    def perplexity(variant, metric):
        return study.estimate(variant, "language", metric).value

    found = outcomes(study)["captions_need_images"]
    own = perplexity("base", "caption_perplexity")
    others = perplexity("base", "caption_perplexity_other_image"), perplexity("no_images", "caption_perplexity")
    for other in others:
        assert signed(np.log(other / own), 2) in found.evidence
    same = outcomes(study, text_only="base")["captions_need_images"]
    assert same.verdict == OPEN
    assert "the control, +0.00 [+0.00, +0.00]" in same.evidence


def test_all_benchmarks_are_needed_to_improve_all(tmp_path):
    for variant, skill in (("base", 0.5), ("film_text", 3.0)):
        write_variant(tmp_path, variant, skill, tasks={"pairs": TASK_SETTINGS["pairs"]})
    collect_all(tmp_path / "results")
    found = outcomes(StudyResults("gating", tmp_path / "results", tmp_path / "runs"), modulations=["film_text"])
    assert found["modulation"].verdict == OPEN
    assert "it takes all 4" in found["modulation"].evidence


def test_tasks_of_the_user_are_shown(tmp_path):
    tasks = dict.fromkeys(("blimp", "pairs"), TASK_SETTINGS["pairs"]) | {"wiki": TASK_SETTINGS["text_perplexity"]}
    rng = np.random.default_rng(0)
    for variant in ("scale_8", "scale_1"):
        parts = {n: items_of("pairs" if t.kind == "minimal_pairs" else "text_perplexity") for n, t in tasks.items()}
        table = pd.concat([build_requests(name, task, parts[name], ["none"]) for name, task in tasks.items()])
        table = table.assign(log_prob=rng.normal(size=len(table)) - 9, tokens=table["words"]).drop(
            columns=CONTEXT_AND_TEXT
        )
        folder = tmp_path / "results" / "gating" / variant / "seed0"
        write_result(folder, "language", table, language_metrics(table, tasks), MADE)
    collect_all(tmp_path / "results")
    study = StudyResults("gating", tmp_path / "results", tmp_path / "runs")
    assert language_tasks(study, ["scale_8"]) == ["pairs", "blimp", "wiki"]
    table = tables.benchmark_table(study, ["scale_8"])
    assert table.columns.tolist() == ["model", "Minimal pairs", "blimp", "wiki"]
    assert table["wiki"].tolist()[-1] == "–"
    assert float(table["wiki"][0].split()[0].replace(",", "")) == pytest.approx(
        study.estimate("scale_8", "language", "wiki").value, abs=0.05
    )
    assert set(tables.groups_table(study, ["scale_8"])["task"]) == {"Minimal pairs", "blimp"}
    assert {"blimp"} <= set(tables.ties_table(study, ["scale_8"]))
    arms = gating.scale_arms(study, main="base", no_gate="no_gate")
    assert {"blimp", "wiki"} <= set(tables.scaling_table(study, arms))
    assert [axes.get_title() for axes in figures.scaling(study, arms=arms).axes] == ["Minimal pairs", "blimp", "wiki"]


def test_the_whole_pool_is_scale_1(study, tmp_path):
    arms = gating.scale_arms(study, main="base", no_gate="no_gate")
    assert arms["Base"] == {1 / n: f"scale_{n}" for n in (8, 4, 2, 1)}
    assert arms["No gate"][1] == "no_gate_scale_1"
    for variant in ("base", "film_text"):
        write_variant(tmp_path, variant, 1.0, tasks={"pairs": TASK_SETTINGS["pairs"]})
    collect_all(tmp_path / "results")
    other = StudyResults("gating", tmp_path / "results", tmp_path / "runs")
    assert gating.scale_arms(other, main="film_text", no_gate="x")["Base"][1] == "film_text"
    assert gating.scale_arms(other, main="base", no_gate="x")["Base"][1] == "scale_1", "it starts from another run"


def test_oscillation_is_taken_in_each_seed(tmp_path):
    rng, curves = np.random.default_rng(0), {0: [0.5, 0.3, 0.5, 0.3], 1: [0.3, 0.5, 0.3, 0.5]}
    write_variant(tmp_path, "steady", 1.0, tasks={"pairs": TASK_SETTINGS["pairs"]})
    collect_all(tmp_path / "results")
    for seed, values in curves.items():
        run = tmp_path / "runs" / "gating" / "swinging" / f"seed{seed}"
        lines = [json.dumps({"step": n, "epoch": n, "val_vqa": value}) for n, value in enumerate(values, 1)]
        run.mkdir(parents=True)
        (run / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
        write_json(run / "settings.json", {"monitor": {"items": 60}})
    study = StudyResults("gating", tmp_path / "results", tmp_path / "runs")
    seeds = seed_checkpoints(study, "swinging")
    assert np.allclose(checkpoints(study, "swinging")["vqa"], 0.4), "the mean curve is flat"
    assert oscillation(seeds, "vqa") == pytest.approx(0.2)
    assert reversals(seeds, "vqa") == (4, 4)
    drawn = rng.binomial(60, 0.4, (2, 20_000)) / 60
    noise = sampling_noise(study, "swinging", "vqa")
    assert noise == pytest.approx(np.abs(drawn[0] - drawn[1]).mean(), rel=0.03)
    assert sampling_noise(study, "swinging", "text_perplexity") is None
    assert sampling_noise(study, "steady", "vqa") is None
    table = tables.oscillation_table(study, ["swinging"])
    assert table.iloc[0].tolist()[2:] == ["20.0 (4/4)", f"{100 * noise:.1f}"]


def test_oscillation_is_the_mean_change(study):
    (table,) = seeds = seed_checkpoints(study, "curriculum_text_first")
    assert table["epoch"].tolist() == list(range(1, 9))
    values = table["vqa"].to_numpy()
    assert oscillation(seeds, "vqa") == pytest.approx(np.mean([abs(b - a) for a, b in itertools.pairwise(values)]))
    assert reversals(seeds, "vqa") == (6, 6)
    assert reversals(seeds, "pairs") == (0, 6)
    assert oscillation(seeds, "pairs") == pytest.approx(0.02)
    assert oscillation(seeds, "text_perplexity") == pytest.approx(np.log(8) / 7)
    shown = tables.oscillation_table(study, ["curriculum_text_first", "base"])
    assert len(shown) == 1
    assert shown["Minimal pairs, points"].iloc[0] == "2.0 (0/6)"


def test_figures_draw_the_data(study, gating_tree):
    words = gate_words(study, "base")
    order = parts_of_speech(words)
    axes = figures.gate_by_pos(study, variants=["base", "no_gate", "soft_token"]).axes
    assert [a.get_title() for a in axes[:2]] == [label("base"), label("soft_token")]
    medians = [line.get_xdata()[0] for line in axes[0].lines if line.get_linewidth() == 1.2]
    for pos, median in zip(order, medians, strict=False):
        assert median == pytest.approx(words.loc[words["pos"] == pos, "gate"].median())
    (heat, *_) = figures.gate_by_layer(study, variants=["base"]).axes
    expected = words.groupby("pos")[[f"gate_{n}" for n in range(LAYERS)]].mean().loc[order].to_numpy()
    assert np.allclose(heat.images[0].get_array(), expected)
    (scatter,) = figures.gate_scatter(study, variant="base", column="frequency").axes
    drawn = np.concatenate([c.get_offsets()[:, 1] for c in scatter.collections])
    assert sorted(drawn) == pytest.approx(sorted(words.groupby("word")["gate"].mean()))
    choices = figures.choices(study, variants=["lcg", "base"], main="base").axes[0]
    shown = 100 * difference(study, Score("lcg", "pairs"), Score("base", "pairs"))[0]
    assert choices.lines[0].get_xdata()[0] == pytest.approx(shown)
    scaled = figures.scaling(study, arms={"Base": {1 / 8: "scale_8", 1: "curriculum_text_first", 1 / 2: "nobody"}})
    line = scaled.axes[0].lines[0]
    assert line.get_xdata().tolist() == [1 / 8, 1]
    assert line.get_ydata()[0] == pytest.approx(100 * study.estimate("scale_8", "language", "pairs").value)
    steady = figures.stability(study, variants=["curriculum_mixed", "base"]).axes[1]
    assert np.allclose(steady.lines[0].get_ydata(), 100 * checkpoints(study, "curriculum_mixed")["vqa"])
    answers = figures.probe(study, variants=["base"], main="base").axes[1]
    right = study.predictions("base", "gates")[0].groupby("condition")["correct"].mean()["necessary"]
    assert answers.lines[0].get_ydata()[0] == pytest.approx(100 * right, abs=1e-3)
    scenes = open_set(gating_tree / "data" / "sets", "scenes")
    captions = figures.coloured_captions(study, variant="base", dataset=scenes, examples=3)
    assert sum(len(a.images) for a in captions.axes) == 3
    inside = [t.get_window_extent().x1 <= captions.bbox.x1 + 1 for t in captions.texts]
    assert all(inside)


def test_what_was_not_run_is_said(study, gating_tree, tmp_path):
    nobody = ["nobody", "no_gate"]
    assert isinstance(figures.gate_by_pos(study, variants=nobody), NotRun)
    assert isinstance(figures.gate_by_layer(study, variants=nobody), NotRun)
    assert isinstance(figures.coloured_captions(study, variant="base", dataset=None), NotRun)
    assert isinstance(figures.coloured_captions(study, variant="nobody", dataset=None), NotRun)
    assert "norms" in figures.gate_scatter(study, variant="base", column="concreteness").reason
    assert isinstance(figures.probe(study, variants=nobody, main="nobody"), NotRun)
    assert isinstance(figures.scaling(study, arms={"x": {1: "base"}}), NotRun)
    assert isinstance(figures.stability(study, variants=["base"]), NotRun)
    assert isinstance(figures.choices(study, variants=["base"], main="base"), NotRun)
    assert isinstance(tables.pairs_table(study, ["nobody", "bigram"]), NotRun)
    assert isinstance(tables.pairs_table(study, ["base"], reference="nobody"), NotRun)
    for table in (tables.benchmark_table, tables.image_table, tables.winoground_table, tables.groups_table,
                  tables.gates_table, tables.probe_table, tables.oscillation_table, tables.ties_table):  # fmt: skip
        assert isinstance(table(study, ["nobody"]), NotRun), table
    assert isinstance(tables.dunn_table(study, "no_gate"), NotRun)
    assert isinstance(tables.regression_table(study, "no_gate"), NotRun)
    assert isinstance(tables.scaling_table(study, {"x": {1: "nobody"}}), NotRun)


def test_norms_are_used_where_there_are_some(tmp_path):
    write_variant(tmp_path, "base", 1.6, norms=True)
    collect_all(tmp_path / "results")
    study = StudyResults("gating", tmp_path / "results", tmp_path / "runs")
    found = outcomes(study)
    words = gate_words(study, "base")
    rho = stats.spearmanr(words["gate"], words["concreteness"]).statistic
    assert f"ρ = {rho:+.3f}".replace("-", "−") in found["concreteness"].evidence
    assert "concreteness" in found["regression"].evidence
    assert not isinstance(figures.gate_scatter(study, variant="base", column="concreteness"), NotRun)


def test_every_variant_and_task_has_a_name_of_its_own():
    names = {label(variant) for variant in [*VARIANTS, *SCALES]}
    assert len(names) == len(VARIANTS) + len(SCALES)
    assert label("no_gate_scale_4") == "No gate, 1/4 of the pool"
    assert label("my_variant") == "my variant"
    assert set(TASK_SETTINGS) == set(TASKS)


def rendered(root: Path, style: Path) -> str:
    html = root / "results" / "reports" / "gating.html"
    render(REPORT, root / "logs" / "gating.ipynb", html, {"study": "gating", "style": str(style)})
    return html.read_text(encoding="utf-8")


def test_full_report(gating_tree, style, monkeypatch):
    monkeypatch.chdir(gating_tree)
    page = rendered(gating_tree, style)
    assert "Traceback" not in page
    assert page.count("Not run in this size") == 1, "the concreteness scatter"
    folder = gating_tree / "results" / "figures" / "gating"
    assert {path.stem for path in folder.glob("*.png")} == FIGURES
    for name in FIGURES:
        assert all((folder / f"{name}.{suffix}").stat().st_size > 1000 for suffix in ("pdf", "svg", "png"))
    for words in (
        "from the sample of items alone",
        "Bigram (control) wrong",
        "Mostly local agreement",
        "Images withheld",
    ):
        assert words in page, words
    for words in ("holds here", "does not hold here", "cannot be tested here", "Warning: the gate has collapsed"):
        assert words in page


def test_a_report_of_one_variant_renders(gating_tree, style, tmp_path, monkeypatch):
    few = {name: TASK_SETTINGS[name] for name in ("pairs", "caption_perplexity")}
    write_variant(tmp_path, "text_trunk", 1.0, tasks=few)
    shutil.copytree(gating_tree / "results" / "gating" / "random", tmp_path / "results" / "gating" / "random")
    collect_all(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    page = rendered(tmp_path, style)
    assert "Traceback" not in page
    assert page.count("Not run in this size") >= len(FIGURES)
