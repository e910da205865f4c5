"""The gating report's tables: numbers against the predictions."""

import numpy as np
import pandas as pd
import pytest

from compactvl.evaluation.language import CONTEXT_AND_TEXT, build_requests, language_metrics
from compactvl.evaluation.results import write_result
from compactvl.records.record import Made
from compactvl.reporting.claims import HOLDS
from compactvl.reporting.study import NotRun
from compactvl.reporting.tables import runs_table
from compactvl.studies.gating.report import gate_tables, tables
from compactvl.studies.gating.report.claims import _beats_counting
from compactvl.studies.gating.report.figures.scaling import scaling
from compactvl.studies.gating.report.words import gate_words, parts_of_speech

TAKEN_AWAY = "Base: image taken away (a mode its training did not have)"


def test_benchmark_table_holds_the_numbers_of_the_predictions(study, raw):
    table = tables.benchmark_table(study, ["base", "nobody", "clip"], main="base", controls=["random"])
    base = study.label("base")
    assert table["model"].tolist() == [base, "CLIP loss", "Base: another image", TAKEN_AWAY,
                                       "Random scores (control)", "Chance", "Items"]  # fmt: skip
    table = table.set_index("model")
    wide = raw("base", "pairs", "none").pivot(index=["group", "item_id"], columns="role", values="log_prob")
    macro = 100 * (wide["good"] > wide["bad"]).groupby("group").mean().mean()
    assert table.loc[base, "Minimal pairs"].split()[0] == f"{macro:.1f}"
    for condition, name in {"own": base, "none": TAKEN_AWAY, "other": "Base: another image"}.items():
        wide = raw("base", "vqa", condition).pivot(index="item_id", columns="choice", values="log_prob")
        assert table.loc[name, "VQA"].split()[0] == f"{100 * (wide[0] > wide[range(1, 8)].max(axis=1)).mean():.1f}"
    rows = raw("base", "text_perplexity", "none")
    perplexity = np.exp(-rows["log_prob"].sum() / rows["tokens"].sum())
    assert table.loc[base, "Text perplexity"].split()[0] == f"{perplexity:.1f}"
    assert table.loc["Chance"].tolist() == ["50.0", "50.0", "12.5", "50.0", "–", "–"]
    assert table.loc["Items"].tolist() == ["90", "60", "72", "40", "40", "48"]
    assert table.loc[TAKEN_AWAY, "Minimal pairs"] == "–"


def test_images_and_what_the_models_saw(study):
    table = tables.image_table(study, ["base"], "no_images").set_index("task")
    shown = ["own image", "another image", TAKEN_AWAY.removeprefix("Base: "), "Images withheld (control)"]
    assert table.columns.tolist()[1:] == shown
    metrics = ("vqa", "vqa_other_image", "vqa_no_image")
    values = [*(study.estimate("base", "language", m) for m in metrics), study.estimate("no_images", "language", "vqa")]
    assert [cell.split()[0] for cell in table.loc["VQA"][1:]] == [f"{100 * e.value:.1f}" for e in values]
    runs = runs_table(study, ["base", "scale_1"])
    assert runs["starts from"].tolist() == ["text_trunk", "–"]
    assert runs["samples seen"].tolist() == ["64,000"] * 2


def test_gate_tables(study):
    table = gate_tables.gates_table(study, ["base", "no_gate", "hard_token"]).set_index("model")
    assert table.index.tolist() == [study.label("base"), "Hard gate, per token"]
    layers = table["sd over words by layer"]
    assert layers["Hard gate, per token"] == "0.0000*, 0.0000*, 0.0000*, 0.0000* (collapsed)"
    words = gate_words(study, "base")
    assert layers[study.label("base")] == ", ".join(f"{words[f'gate_{n}'].std(ddof=0):.4f}" for n in range(4))
    assert table.loc[study.label("base"), "ρ concreteness"] == "–"
    order = parts_of_speech(words)
    assert len(gate_tables.dunn_table(study, "base")) == len(order)
    assert gate_tables.regression_table(study, "base")["term"].tolist()[1:3] == ["frequency", "content word"]
    shown = gate_tables.probe_table(study, ["base"])
    assert shown["the image is"].tolist() == ["necessary", "useful", "irrelevant"]
    assert shown["words before"].tolist() == ["3.0"] * 3
    right = study.predictions("base", "gates")[0].groupby("condition")[["correct", "correct_no_image"]].mean() * 100
    for place, column in enumerate(("right", "right, image taken away")):
        assert shown[column].str.split().str[0].tolist() == [
            f"{right.loc[c].iloc[place]:.1f}" for c in shown["the image is"]
        ]


def test_groups_winoground_and_ties(study, raw):
    groups = tables.groups_table(study, ["base"]).set_index(["task", "group"])
    assert groups.index.tolist()[:2] == [("Minimal pairs", "p0"), ("Minimal pairs", "p1")]
    wide = raw("base", "pairs", "none").pivot(index=["group", "item_id"], columns="role", values="log_prob")
    means = 100 * (wide["good"] > wide["bad"]).groupby("group").mean()
    assert groups[study.label("base")]["Minimal pairs", "p1"].split()[0] == f"{means['p1']:.1f}"
    assert groups["items"]["Minimal pairs", "p0"] == "21"
    table = tables.winoground_table(study, ["base"])
    assert table.iloc[-1].tolist() == ["Chance", "50.0", "25.0", "25.0", "16.7"]
    wide = raw("base", "winoground", "own").pivot(index="item_id", columns="role", values="log_prob")
    text = (wide["s00"] > wide["s10"]) & (wide["s11"] > wide["s01"])
    assert table["text score"][0].split()[0] == f"{100 * text.mean():.1f}"
    assert tables.ties_table(study, ["base"])["VQA"].tolist() == ["0.0"]


def test_pairs_are_told_apart_by_what_the_bigram_makes_of_them(study, raw):
    good = {}
    for variant in ("base", "bigram"):
        wide = raw(variant, "pairs", "none").pivot(index="item_id", columns="role", values="log_prob")
        good[variant] = wide["good"] > wide["bad"]
    table = tables.pairs_table(study, ["base", "bigram", "nobody"])
    assert table["model"].tolist() == [study.label("base")]
    wrong = (~good["bigram"]).sum()
    assert table.columns[2:].tolist() == [
        f"Bigram (control) wrong ({wrong} pairs)",
        f"Bigram (control) right ({90 - wrong} pairs)",
    ]
    for column, part in zip(table.columns[2:], (~good["bigram"], good["bigram"]), strict=True):
        assert table[column].iloc[0].split()[0] == f"{100 * good['base'][part].mean():.1f}"
    found = _beats_counting(study, main="base", other="bigram", task="pairs")
    assert f"{100 * good['base'][~good['bigram']].mean():.1f} [" in found.evidence
    assert f"on the {wrong} it gets wrong" in found.evidence
    assert _beats_counting(study, main="random", other="bigram", task="pairs").verdict != HOLDS


def test_tasks_of_the_user_are_shown(tmp_path, made, write_variant, collected):
    tasks = dict.fromkeys(("blimp", "pairs"), made.tasks["pairs"]) | {"wiki": made.tasks["text_perplexity"]}
    rng = np.random.default_rng(0)
    for variant in ("scale_8", "scale_1"):
        write_variant(tmp_path, variant, 1.0)
        items = {
            n: made.items_of("pairs" if t.kind == "minimal_pairs" else "text_perplexity") for n, t in tasks.items()
        }
        table = pd.concat([build_requests(name, task, items[name], ["none"]) for name, task in tasks.items()])
        table = table.assign(log_prob=rng.normal(size=len(table)) - 9, tokens=table["words"]).drop(
            columns=CONTEXT_AND_TEXT
        )
        folder = tmp_path / "results" / "gating" / variant / "seed0"
        write_result(folder, "language", table, language_metrics(table, tasks), Made("evaluate", ""))
    study = collected(tmp_path)
    assert study.tasks(["scale_8"]) == ["pairs", "blimp", "wiki"]
    table = tables.benchmark_table(study, ["scale_8"])
    assert table.columns.tolist() == ["model", "Minimal pairs", "blimp", "wiki"]
    assert table["wiki"].tolist()[1:] == ["–", "40"]
    wiki = study.estimate("scale_8", "language", "wiki").value
    assert float(table["wiki"][0].split()[0].replace(",", "")) == pytest.approx(wiki, abs=0.05)
    assert set(tables.groups_table(study, ["scale_8"])["task"]) == {"Minimal pairs", "blimp"}
    assert {"blimp"} <= set(tables.ties_table(study, ["scale_8"]))
    arms = {"Base": study.shares("scale_1")}
    shown = tables.scaling_table(study, arms)
    assert shown["share of the pool"].tolist() == ["0.125", "1"]
    assert {"blimp", "wiki"} <= set(shown)
    titles = [axes.get_title() for axes in scaling(study, arms=arms).axes if axes.get_visible()]
    assert titles[:3] == ["Minimal pairs", "blimp", "wiki"]


def test_what_was_not_run_is_said(study):
    assert isinstance(tables.pairs_table(study, ["nobody", "bigram"]), NotRun)
    assert isinstance(tables.pairs_table(study, ["base"], reference="nobody"), NotRun)
    for table in (tables.benchmark_table, tables.image_table, tables.winoground_table, tables.groups_table,
                  tables.oscillation_table, tables.ties_table, gate_tables.gates_table, gate_tables.probe_table,
                  runs_table):  # fmt: skip
        assert isinstance(table(study, ["nobody"]), NotRun), table
    assert isinstance(gate_tables.dunn_table(study, "no_gate"), NotRun)
    assert isinstance(gate_tables.regression_table(study, "no_gate"), NotRun)
    assert isinstance(tables.scaling_table(study, {"x": {}}), NotRun)
