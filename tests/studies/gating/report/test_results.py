"""What the gating report reads: items, differences, shares of the pool, checkpoints."""

import itertools
import json

import numpy as np
import pytest

from compactvl.files import write_json
from compactvl.reporting.paired import Measure, difference
from compactvl.studies.gating.report import tables
from compactvl.studies.gating.report.checkpoints import (
    absolute_changes,
    checkpoints,
    reversals,
    sampling_noise,
    seed_checkpoints,
)
from compactvl.studies.gating.report.results import GatingResults, language
from compactvl.studies.gating.report.words import contrast_change, gate_words


def test_items_are_those_of_the_metrics(study, raw):
    """A metric is the mean of its items, over the groups where it has some; a task is asked as its name says."""
    for metric in ("pairs", "ewok", "vqa", "winoground", "vqa_other_image", "vqa_no_image"):
        items = study.items("base", "language", metric)
        mean = items.groupby("stratum")["value"].mean().mean()
        assert mean == pytest.approx(study.estimate("base", "language", metric).value, abs=1e-5)
    assert study.items("base", "language", "pairs")["stratum"].nunique() == 2
    assert study.items("base", "language", "text_perplexity") is None
    assert study.items("nobody", "language", "pairs") is None
    wide = raw("base", "pairs", "none").pivot(index="item_id", columns="role", values="log_prob")
    values = study.items("base", "language", "pairs")["value"]
    assert values.sort_index().tolist() == (wide["good"] > wide["bad"]).astype(float).tolist()


def test_differences_are_those_of_the_metrics(study):
    def apart(a, b, *tasks):
        return difference(study, *((language(a, task), language(b, task)) for task in tasks))

    for task in ("pairs", "ewok", "vqa", "winoground"):
        mean, low, high = apart("base", "lcg", task)
        a, b = (study.estimate(v, "language", task).value for v in ("base", "lcg"))
        assert mean == pytest.approx(a - b, abs=1e-5)
        assert low < mean < high
    each = [apart("base", "lcg", task)[0] for task in ("pairs", "vqa")]
    assert apart("base", "lcg", "pairs", "vqa")[0] == pytest.approx(np.mean(each))
    ratio = np.divide(*(study.estimate(v, "language", "text_perplexity").value for v in ("unigram", "base")))
    score = study.surprisal_difference(language("unigram", "text_perplexity"), language("base", "text_perplexity"))
    assert np.exp(score[0]) == pytest.approx(ratio, rel=1e-4)
    assert study.surprisal_difference(language("base", "text_perplexity"), Measure("nobody", "language", "x")) is None


def test_the_change_of_a_contrast(study):
    a, b = gate_words(study, "scale_8"), gate_words(study, "base")
    change = np.subtract(*(t.groupby("word_class")["gate"].mean() @ [1, -1] for t in
                           (b[["word_class", "gate"]], a[["word_class", "gate"]])))  # fmt: skip
    found = contrast_change(a, b)
    assert found.after[0] - found.before[0] == pytest.approx(change)
    assert found.apart[0] == pytest.approx(abs(found.after[0]) - abs(found.before[0]))
    assert found.apart[1] < found.apart[0] < found.apart[2]


def test_shares_of_the_pool_are_those_of_the_settings(study, tmp_path, write_variant, collected):
    assert study.shares("scale_1") == pytest.approx({1 / n: f"scale_{n}" for n in (8, 4, 2, 1)})
    assert list(study.shares("no_gate_scale_1").values()) == [f"no_gate_scale_{n}" for n in (8, 4, 2, 1)]
    assert study.shares("nobody") == {}
    for variant in ("base", "scale_4"):
        write_variant(tmp_path, variant, 1.0)
    settings = collected(tmp_path).settings("base")
    for variant, share in (("scale_4", 0.5), ("unread", 0.8)):
        path = tmp_path / "runs" / "gating" / variant / "seed0" / "settings.json"
        write_json(path, settings | {"data_share": share})
    assert collected(tmp_path).shares("base") == {0.5: "scale_4", 1: "base"}
    assert collected(tmp_path).shares("unread") == {0.625: "scale_4", 1.25: "base"}, "trained, but not evaluated"


def test_oscillation_is_taken_in_each_seed(tmp_path, made, write_variant, collected):
    rng, curves = np.random.default_rng(0), {0: [0.5, 0.3, 0.5, 0.3], 1: [0.3, 0.5, 0.3, 0.5]}
    write_variant(tmp_path, "steady", 1.0, tasks={"pairs": made.tasks["pairs"]})
    for seed, values in curves.items():
        run = tmp_path / "runs" / "gating" / "swinging" / f"seed{seed}"
        lines = [json.dumps({"step": n, "epoch": n, "val_vqa": value}) for n, value in enumerate(values, 1)]
        run.mkdir(parents=True)
        (run / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
        write_json(run / "settings.json", {"monitor": {"items": 60}})
    study = collected(tmp_path)
    seeds = seed_checkpoints(study, "swinging")
    assert np.allclose(checkpoints(study, "swinging")["vqa"], 0.4), "the mean curve is flat"
    assert absolute_changes(seeds, "vqa") == pytest.approx([0.2] * 3)
    assert reversals(seeds, "vqa") == (4, 4)
    drawn = rng.binomial(60, 0.4, (2, 20_000)) / 60
    noise = sampling_noise(study, "swinging", "vqa")
    assert noise == pytest.approx(np.abs(drawn[0] - drawn[1]).mean(), rel=0.03)
    assert sampling_noise(study, "swinging", "text_perplexity") is None
    assert sampling_noise(study, "steady", "vqa") is None
    table = tables.oscillation_table(study, ["swinging"])
    assert table.iloc[0].tolist()[1:] == ["4", "20.0 (4/4)", f"{100 * noise:.1f}"]


def test_oscillation_is_the_mean_change(study):
    (table,) = seeds = seed_checkpoints(study, "curriculum_text_first")
    assert table["epoch"].tolist() == list(range(1, 9))
    values = table["vqa"].to_numpy()
    assert absolute_changes(seeds, "vqa") == pytest.approx([abs(b - a) for a, b in itertools.pairwise(values)])
    assert reversals(seeds, "vqa") == (6, 6)
    assert reversals(seeds, "pairs") == (0, 6)
    assert absolute_changes(seeds, "pairs") == pytest.approx([0.02] * 7)
    assert absolute_changes(seeds, "text_perplexity").mean() == pytest.approx(np.log(8) / 7)
    shown = tables.oscillation_table(study, ["curriculum_text_first", "base"])
    assert len(shown) == 1
    assert shown["Minimal pairs, points"].iloc[0] == "2.0 (0/6)"


def test_every_variant_and_task_has_a_name_of_its_own(study, made, variants):
    assert len(set(GatingResults.LABELS.values())) == len(GatingResults.LABELS)
    scored = {name for name in variants if name != "bpe" and "scale_" not in name}
    assert scored <= set(GatingResults.LABELS) <= scored | {"text_only"}
    assert study.label("my_variant") == "my variant"
    assert study.short("base") == "Base"
    assert set(made.tasks) == set(GatingResults.METRICS)
