"""What the gating figures draw, read back from their axes, against the metrics, logs and gates."""

import numpy as np
import pandas as pd
import pytest

from compactvl.reporting.paired import difference
from compactvl.reporting.pictures import open_set
from compactvl.reporting.study import NotRun
from compactvl.studies.gating.report.figures.by_pos import gate_by_layer, gate_by_pos
from compactvl.studies.gating.report.figures.captions import coloured_captions
from compactvl.studies.gating.report.figures.choices import differences
from compactvl.studies.gating.report.figures.colours import GATE_COLOURS, gate_scale
from compactvl.studies.gating.report.figures.probe import probe
from compactvl.studies.gating.report.figures.scaling import scaling
from compactvl.studies.gating.report.figures.scatter import gate_scatter
from compactvl.studies.gating.report.figures.stability import stability
from compactvl.studies.gating.report.results import language
from compactvl.studies.gating.report.words import gate_words, parts_of_speech

LAYERS = 4


@pytest.fixture
def metrics(study):
    """(variant, benchmark, metric) → value, low, high, straight from the file."""
    table = pd.read_csv(study.results / "gating" / "metrics.csv").set_index(["variant", "benchmark", "metric"])
    return lambda *key: table.loc[key, ["value", "low", "high"]].tolist()


def test_gate_by_part_of_speech(study):
    words = gate_words(study, "base")
    order = parts_of_speech(words)
    axes = gate_by_pos(study, variants=["base", "no_gate", "soft_token"]).axes
    assert [a.get_title() for a in axes[:2]] == [study.label("base"), study.label("soft_token")]
    medians = [line.get_xdata()[0] for line in axes[0].lines if line.get_linewidth() == 1.2]
    assert medians == pytest.approx([words.loc[words["pos"] == pos, "gate"].median() for pos in order])
    boxes = [patch.get_path().vertices[:, 0] for patch in axes[0].patches]
    for pos, edges in zip(order, boxes, strict=True):
        gates = words.loc[words["pos"] == pos, "gate"]
        assert [edges.min(), edges.max()] == pytest.approx(gates.quantile([0.25, 0.75]).tolist())
    (heat, *_) = gate_by_layer(study, variants=["base"]).axes
    expected = words.groupby("pos")[[f"gate_{n}" for n in range(LAYERS)]].mean().loc[order].to_numpy()
    assert np.allclose(heat.images[0].get_array(), expected)
    assert [text.get_text() for text in heat.texts] == [f"{value:.2f}" for value in expected.ravel()]


def test_scatter(study):
    words = gate_words(study, "base")
    (axes,) = gate_scatter(study, variant="base", column="frequency").axes
    drawn = np.concatenate([c.get_offsets() for c in axes.collections])
    expected = words.groupby(["word", "word_class"])[["frequency", "gate"]].mean()
    assert sorted(map(tuple, drawn.round(6))) == sorted(map(tuple, expected.to_numpy().round(6)))
    places = {text.get_text(): text.xy for text in axes.texts}
    assert len(places) > 3
    for word, xy in places.items():
        assert xy == pytest.approx(tuple(expected.xs(word, level="word").iloc[0]))


def test_choices(study):
    figure = differences(study, variants=["lcg", "base", "clip"], main="base")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["LCG loss", "CLIP loss"]
    for axes, task in zip(figure.axes, ("pairs", "ewok", "vqa", "winoground"), strict=True):
        for row, variant in enumerate(("lcg", "clip")):
            point, _, (bars,) = axes.containers[row]
            apart = study.estimate(variant, "language", task).value - study.estimate("base", "language", task).value
            assert point.get_xdata() == pytest.approx([100 * apart], abs=1e-2)
            assert point.get_ydata() == [row]
            _, low, high = difference(study, (language(variant, task), language("base", task)))
            assert bars.get_segments()[0][:, 0] == pytest.approx([100 * low, 100 * high])
            assert point.get_color() == ("#009E73" if low > 0 else "#D55E00" if high < 0 else "#0072B2")


def test_scaling(study, metrics):
    arms = {"Base": study.shares("scale_1"), "No gate": study.shares("no_gate_scale_1")}
    figure = scaling(study, arms=arms)
    titles = {axes.get_title(): axes for axes in figure.axes}
    for title, benchmark, metric, scale in (("Minimal pairs", "language", "pairs", 100), ("Text perplexity", "language",
            "text_perplexity", 1), ("Gate, content − function", "gates", "content_minus_function", 1)):  # fmt: skip
        line, band = titles[title].lines[0], titles[title].collections[0].get_paths()[0].vertices
        expected = np.array([metrics(f"scale_{n}", benchmark, metric) for n in (8, 4, 2, 1)]) * scale
        assert line.get_xdata() == pytest.approx([1 / 8, 1 / 4, 1 / 2, 1])
        assert line.get_ydata() == pytest.approx(expected[:, 0])
        for x, (_, low, high) in zip(line.get_xdata(), expected, strict=True):
            edge = band[np.isclose(band[:, 0], x)][:, 1]
            assert [edge.min(), edge.max()] == pytest.approx([low, high])
    chance = titles["VQA"].lines[-1]
    assert chance.get_ydata() == pytest.approx([12.5, 12.5])


def test_stability(study):
    variants = ["curriculum_mixed", "curriculum_text_first"]
    figure = stability(study, variants=[*variants, "base"])
    for axes, column in zip(
        figure.axes, ("val_pairs", "val_vqa", "val_text_perplexity", "val_caption_perplexity"), strict=True
    ):
        for line, variant in zip(axes.lines, variants, strict=True):
            log = study.log(variant)[0].dropna(subset="epoch")
            assert line.get_xdata().tolist() == log["epoch"].tolist()
            scale = 1 if "perplexity" in column else 100
            assert line.get_ydata() == pytest.approx(scale * log[column])


def test_probe(study, metrics):
    left, right = probe(study, variants=["base", "soft_token"], main="base").axes
    gates = study.predictions("base", "gates")[0]
    gates = gates[gates["source"] == "probe"].groupby("condition")
    conditions = ["necessary", "useful", "irrelevant"]
    for axes, number, column, scale in (
        (left, 0, "gate_3", 1),
        (right, 0, "correct", 100),
        (right, 1, "correct_no_image", 100),
    ):
        point, _, (bars,) = axes.containers[number]
        assert np.round(point.get_xdata()).tolist() == [0, 1, 2]
        assert point.get_ydata() == pytest.approx(scale * gates[column].mean()[conditions], abs=1e-3 * scale)
        metric = {"gate_3": "probe_gate", "correct": "probe_accuracy", "correct_no_image": "probe_accuracy_no_image"}[
            column
        ]
        expected = [[scale * value for value in metrics("base", "gates", f"{metric}/{c}")[1:]] for c in conditions]
        assert np.array([segment[:, 1] for segment in bars.get_segments()]) == pytest.approx(np.array(expected))


def test_captions_have_their_words_and_gates(study, gating_tree):
    scenes = open_set(gating_tree / "data" / "sets", "scenes")
    figure = coloured_captions(study, variant="base", dataset=scenes, examples=3)
    assert sum(len(axes.images) for axes in figure.axes) == 3
    assert all(text.get_window_extent().x1 <= figure.bbox.x1 + 1 for text in figure.texts)
    words = gate_words(study, "base")
    scale = gate_scale(words["gate"].to_numpy())
    texts = [text.get_text() for text in figure.texts]
    shown = list(
        zip(texts[::2], texts[1::2], (a.get_facecolor() for a in figure.artists if a.get_zorder() == 2), strict=True)
    )
    captions = {
        i: list(zip(c["word"], c["gate"], strict=True)) for i, c in words.sort_values("position").groupby("item_id")
    }
    start = 0
    for _ in range(3):
        (found,) = [
            c
            for c in captions.values()
            if [(w, f"{g:.2f}") for w, g in c] == [s[:2] for s in shown[start : start + len(c)]]
        ]
        for (_, gate), (*_, colour) in zip(found, shown[start : start + len(found)], strict=True):
            assert colour == pytest.approx(GATE_COLOURS(scale(gate)))
        start += len(found)
    assert start == len(shown)


def test_what_was_not_run_is_said(study):
    nobody = ["nobody", "no_gate"]
    assert isinstance(gate_by_pos(study, variants=nobody), NotRun)
    assert isinstance(gate_by_layer(study, variants=nobody), NotRun)
    assert isinstance(coloured_captions(study, variant="base", dataset=None), NotRun)
    assert isinstance(coloured_captions(study, variant="nobody", dataset=None), NotRun)
    assert "norms" in gate_scatter(study, variant="base", column="concreteness").reason
    assert isinstance(probe(study, variants=nobody, main="nobody"), NotRun)
    assert isinstance(scaling(study, arms={"x": {1: "base"}}), NotRun)
    assert isinstance(stability(study, variants=["base"]), NotRun)
    assert isinstance(differences(study, variants=["base"], main="base"), NotRun)
