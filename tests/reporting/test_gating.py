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

from compactvl.config.language_benchmarks import LanguageTask
from compactvl.data.canonical import ImageRow, write_set
from compactvl.evaluation.gates import gates_metrics
from compactvl.evaluation.language import TEXTS, build_requests, language_metrics
from compactvl.evaluation.results import collect, write_result
from compactvl.files import write_json
from compactvl.manifest import write_manifest
from compactvl.reporting import gating
from compactvl.reporting.claims import FAILS, HOLDS, OPEN, claims_table
from compactvl.reporting.gating import figures, tables
from compactvl.reporting.gating.checkpoints import checkpoints, oscillation, reversals
from compactvl.reporting.gating.items import Score, common_difference, difference, mean_difference, surprisal_difference
from compactvl.reporting.gating.labels import TASKS, VARIANTS, label
from compactvl.reporting.gating.words import contrast_change, gate_words, means_apart, parts_of_speech
from compactvl.reporting.render import render
from compactvl.reporting.sources import open_set
from compactvl.reporting.study import NotRun, StudyResults

REPORT = Path(__file__).parents[2] / "reports" / "gating.py"
NGRAMS = ("unigram", "bigram")
SCALES = [f"{arm}scale_{n}" for arm in ("", "no_gate_") for n in (8, 4, 2)] + ["no_gate_scale_1"]
UNGATED = ("no_gate", "text_trunk", "random", *NGRAMS)
SKILL = {"random": 0.0, "unigram": 0.1, "bigram": 0.3, "text_trunk": 0.6, "base": 1.6, "lcg": 0.7, "clip": 1.2}
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
FIGURES = {"captions", "choices", "frequency", "gate_by_layer", "gate_by_pos", "probe", "scaling", "stability"}
CLAIMS = {
    "main": "base", "no_gate": "no_gate", "hard": "hard_feature", "text_only": "text_trunk",
    "modulations": ["film_text", "dyintra_image"], "contrastive": ["clip", "lcg"],
    "alternating": ["curriculum_text_first"], "mixed": ["curriculum_mixed"],
    "captions_only": "curriculum_captions_only", "both_streams": "curriculum_text_first", "patches": "patches",
    "ngrams": list(NGRAMS), "smallest": "scale_8", "largest": "curriculum_text_first",
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
        parts.append(table.assign(tokens=table["words"] + 1).drop(columns=TEXTS))
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
        line = {"step": step, "pairs": 64 * step, "loss": 6 - step / 50, "stream": "text"}
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
    write_set(folder, "scenes", images, items, settings={}, inputs={}, started=0.0)


def write_variant(root: Path, variant: str, skill: float, *, tasks: dict = TASK_SETTINGS, norms: bool = False) -> None:
    rng = np.random.default_rng(sum(map(ord, variant)))
    folder, run = (root / kind / "gating" / variant / "seed0" for kind in ("results", "runs"))
    predictions = language(skill, rng, tasks)
    write_result(folder, "language", predictions, language_metrics(predictions, tasks))
    if variant not in UNGATED and not variant.startswith("no_gate"):
        gates = gate_table(skill / 1.6 if variant != "hard_token" else 0.0, rng, norms)
        if variant == "hard_token":
            gates[[f"gate_{n}" for n in range(LAYERS)]] = np.float32(0.7)
        write_result(folder, "gates", gates, gates_metrics(gates))
    start = "text_trunk" if variant in ("base", "clip") else None
    write_json(run / "settings.json", {"kind": "decoder", "start": start})
    write_manifest(run, stage="train", started=0.0, pairs=64_000)
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
    table.to_csv(root / "results" / "gating" / "parameters.csv", index=False)
    collect(root / "results", study="gating")
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
    assert table["model"].tolist() == [base, "CLIP loss", "Base: no image", "Base: another image",
                                       "Random scores (control)", "Chance"]  # fmt: skip
    table = table.set_index("model")
    wide = raw(study, "base", "pairs", "none").pivot(index=["group", "item_id"], columns="role", values="log_prob")
    macro = 100 * (wide["good"] > wide["bad"]).groupby("group").mean().mean()
    assert table.loc[base, "Minimal pairs"].split()[0] == f"{macro:.1f}"
    for condition, name in {"own": base, "none": "Base: no image", "other": "Base: another image"}.items():
        wide = raw(study, "base", "vqa", condition).pivot(index="item_id", columns="choice", values="log_prob")
        assert table.loc[name, "VQA"].split()[0] == f"{100 * (wide[0] > wide[range(1, 8)].max(axis=1)).mean():.1f}"
    rows = raw(study, "base", "text_perplexity", "none")
    perplexity = np.exp(-rows["log_prob"].sum() / rows["tokens"].sum())
    assert table.loc[base, "Text perplexity"].split()[0] == f"{perplexity:.1f}"
    assert table.loc["Chance"].tolist() == ["50.0", "50.0", "12.5", "50.0", "–", "–"]
    assert table.loc["Base: no image", "Minimal pairs"] == "–"


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
    for name in ("pos", "content", "contrastive", "oscillation", "probe", "scale", "own_image", "no_image", "unigram",
                 "bigram", "chance", "collapse"):  # fmt: skip
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
    assert contrast_change(a, b)[0] == pytest.approx(change)


def test_gate_tables(study):
    table = tables.gates_table(study, ["base", "no_gate", "hard_token"]).set_index("model")
    assert table.index.tolist() == [label("base"), "Hard gate, per token"]
    assert "(collapsed)" in table.loc["Hard gate, per token", "sd over words"]
    assert table.loc[label("base"), "ρ concreteness"] == "–"
    order = parts_of_speech(gate_words(study, "base"))
    assert len(tables.dunn_table(study, "base")) == len(order)
    assert tables.regression_table(study, "base")["term"].tolist()[1:3] == ["frequency", "content word"]
    assert tables.probe_table(study, ["base"])["the image is"].tolist() == ["necessary", "useful", "irrelevant"]
    assert tables.groups_table(study, ["base"])["group"].tolist()[:2] == ["p0", "p1"]
    assert tables.winoground_table(study, ["base"]).iloc[-1].tolist() == ["Chance", "50.0", "25.0", "25.0", "16.7"]
    assert tables.ties_table(study, ["base"])["VQA"].tolist() == ["0.0"]


def test_oscillation_is_the_mean_change(study):
    table = checkpoints(study, "curriculum_text_first")
    assert table["epoch"].tolist() == list(range(1, 9))
    values = table["vqa"].to_numpy()
    assert oscillation(table, "vqa") == pytest.approx(np.mean([abs(b - a) for a, b in itertools.pairwise(values)]))
    assert reversals(table, "vqa") == (6, 6)
    assert reversals(table, "pairs") == (0, 6)
    assert oscillation(table, "pairs") == pytest.approx(0.02)
    assert oscillation(table, "text_perplexity") == pytest.approx(np.log(8) / 7)
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
    for table in (tables.benchmark_table, tables.image_table, tables.winoground_table, tables.groups_table,
                  tables.gates_table, tables.probe_table, tables.oscillation_table, tables.ties_table):  # fmt: skip
        assert isinstance(table(study, ["nobody"]), NotRun), table
    assert isinstance(tables.dunn_table(study, "no_gate"), NotRun)
    assert isinstance(tables.regression_table(study, "no_gate"), NotRun)
    assert isinstance(tables.scaling_table(study, {"x": {1: "nobody"}}), NotRun)


def test_norms_are_used_where_there_are_some(tmp_path):
    write_variant(tmp_path, "base", 1.6, norms=True)
    collect(tmp_path / "results", study="gating")
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
    assert label("no_gate_scale_4") == "No gate, 1/4 of the data"
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
    for words in ("holds here", "does not hold here", "cannot be tested here", "Warning: the gate has collapsed"):
        assert words in page


def test_a_report_of_one_variant_renders(gating_tree, style, tmp_path, monkeypatch):
    few = {name: TASK_SETTINGS[name] for name in ("pairs", "caption_perplexity")}
    write_variant(tmp_path, "text_trunk", 1.0, tasks=few)
    shutil.copytree(gating_tree / "results" / "gating" / "random", tmp_path / "results" / "gating" / "random")
    collect(tmp_path / "results", study="gating")
    monkeypatch.chdir(tmp_path)
    page = rendered(tmp_path, style)
    assert "Traceback" not in page
    assert page.count("Not run in this size") >= len(FIGURES)
