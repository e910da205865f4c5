"""Choosing a box against brute force over the candidates; padded columns are never looked at."""

import json

import numpy as np
import pandas as pd
import pytest

from compactvl.config.kinds import BENCHMARK_KINDS, find_kind
from compactvl.data.canonical import ImageRow, write_set
from compactvl.errors import UserError
from compactvl.evaluation.classification import classification_metrics
from compactvl.evaluation.grounding import ground, overlaps
from compactvl.records.layout import Layout
from compactvl.records.record import Made


class Fixed:
    """A model whose logits are given, by item; what stands in padded columns is harmful."""

    def __init__(self, items, logits, padding):
        self.logits_of, self.padding = dict(zip(items["item_id"], logits, strict=True)), padding

    def logits(self, items):
        rows = [self.logits_of[item] for item in items["item_id"]]
        table = np.full((len(rows), max(map(len, rows))), self.padding, dtype=np.float32)
        for row, values in zip(table, rows, strict=True):
            row[: len(values)] = values
        return table


def table(rng, n=400, own_target=False):
    boxes = [rng.integers((0, 0, 4, 4), 64, (rng.integers(1, 9), 4)) for _ in range(n)]
    targets = [int(rng.integers(len(part))) for part in boxes]
    items = pd.DataFrame(
        {
            "item_id": [f"i{k:03d}" for k in range(n)],
            "split": "test",
            "image_id": [f"im{k // 5}" for k in range(n)],
            "expression": "the big one",
            "type": rng.choice(["testA", "testB"], n),
            "boxes": [json.dumps(part.tolist()) for part in boxes],
            "target": targets,
        }
    )
    if own_target:
        near = [(part[t] + rng.integers(-6, 7, 4)).clip(1) for part, t in zip(boxes, targets, strict=True)]
        items = items.drop(columns="target").assign(target_box=[json.dumps(box.tolist()) for box in near])
    return items, boxes


def pixels(box):
    x, y, w, h = map(int, box)
    return {(i, j) for i in range(x, x + w) for j in range(y, y + h)}


def measured(items, boxes, logits, padding=np.nan):
    predictions = ground(Fixed(items, logits, padding), "set", items, "test")
    return predictions, {metric.name: metric for metric in classification_metrics(predictions)}


@pytest.mark.parametrize("padding", [np.nan, np.inf, 1e9])
def test_equal_to_a_loop(padding):
    rng = np.random.default_rng(0)
    items, boxes = table(rng)
    logits = [rng.normal(size=len(part)) for part in boxes]
    predictions, metrics = measured(items, boxes, logits, padding)
    chosen = [max(range(len(values)), key=lambda i, values=values: values[i]) for values in logits]
    assert predictions["prediction"].tolist() == chosen
    assert predictions["target"].tolist() == items["target"].tolist()
    right = np.array(chosen) == items["target"]
    assert metrics["accuracy"].value == pytest.approx(right.mean(), abs=1e-12)
    assert metrics["accuracy"].chance == pytest.approx(np.mean([1 / len(part) for part in boxes]), abs=1e-12)
    assert metrics["accuracy"].low < metrics["accuracy"].chance < metrics["accuracy"].high
    for side in ("testA", "testB"):
        assert metrics[f"accuracy/{side}"].value == pytest.approx(right[items["type"] == side].mean(), abs=1e-12)
    assert "consistency" not in metrics


def test_a_target_of_its_own_is_met_by_overlap():
    rng = np.random.default_rng(1)
    items, boxes = table(rng, 150, own_target=True)
    logits = [rng.normal(size=len(part)) for part in boxes]
    predictions, metrics = measured(items, boxes, logits)
    hits, shares = [], []
    for part, values, target in zip(boxes, logits, items["target_box"], strict=True):
        wanted = pixels(json.loads(target))
        near = [len(pixels(box) & wanted) / len(pixels(box) | wanted) > 0.5 for box in part]
        hits.append(near[int(np.argmax(values))])
        shares.append(np.mean(near))
    assert predictions["score"].tolist() == [float(hit) for hit in hits]
    assert 0 < np.mean(hits) < 1
    assert metrics["accuracy"].chance == pytest.approx(np.mean(shares), abs=1e-12)


def test_overlaps_are_counted_pixels():
    rng = np.random.default_rng(2)
    boxes, target = rng.integers(1, 20, (200, 4)), np.array([6, 7, 9, 8])
    wanted = pixels(target)
    counted = [len(pixels(box) & wanted) / len(pixels(box) | wanted) for box in boxes]
    np.testing.assert_allclose(overlaps(boxes, target), counted, atol=1e-12)
    assert 0 in counted


@pytest.mark.parametrize("logit", [0.0, -np.inf])
@pytest.mark.parametrize("padding", [np.nan, 0.0, np.inf])
def test_equal_logits_are_measured_at_chance(logit, padding):
    items, boxes = table(np.random.default_rng(3))
    predictions, metrics = measured(items, boxes, [np.full(len(part), logit) for part in boxes], padding)
    for metric in metrics.values():
        if metric.chance is not None:
            assert metric.value == pytest.approx(metric.chance, abs=1e-12), metric
    assert (predictions["ties"] == predictions["candidates"]).all()
    assert (predictions["prediction"] < predictions["candidates"]).all()


def test_wrong_logits_and_items_are_refused():
    items, boxes = table(np.random.default_rng(4), 20)
    logits = [np.zeros(len(part)) for part in boxes]
    with pytest.raises(ValueError, match="NaN"):
        measured(items, boxes, [np.full(len(part), np.nan) for part in boxes])
    with pytest.raises(ValueError, match="expected logits"):
        measured(items, boxes, [values[:2] for values in logits])
    for changed in ({"target": 9}, {"target": -1}, {"boxes": "[]"}):
        bad = items.assign(**{key: items[key].where(items.index != 7, value) for key, value in changed.items()})
        with pytest.raises(UserError, match=r"item 'i007' has \d boxes, and its target is none of them"):
            measured(bad, boxes, logits)


def test_from_a_data_set(tmp_path):
    rng, layout = np.random.default_rng(5), Layout(tmp_path)
    items, boxes = table(rng, 40)
    rows = [ImageRow(image, image.encode(), "test") for image in sorted(set(items["image_id"]))]
    write_set(layout.dataset("refer"), "refer", rows, items, Made("curate", ""), settings={})
    benchmark = find_kind(BENCHMARK_KINDS, "grounding")(kind="grounding", dataset="refer")
    logits = [-np.arange(len(part)) for part in boxes]
    found = benchmark.measure(Fixed(items, logits, np.nan), layout)
    assert found.metrics[0].name == "accuracy"
    assert found.metrics[0].value == pytest.approx((items["target"] == 0).mean())
