"""Results written and read back."""

import numpy as np
import pandas as pd
import pytest

from compactvl.errors import UserError
from compactvl.evaluation.results import Metric, read_metrics, read_predictions, read_result, write_result
from compactvl.evaluation.winoground import CHANCE, score_items, winoground_metrics
from compactvl.records.record import Made, provenance_path, read_record

MADE = Made("evaluate", "code")


def metric(name="t2i_r1", value=0.5):
    return Metric(name, value, value - 0.1, value + 0.1, n=10, chance=0.1, higher_is_better=True)


def test_predictions_are_read_back(tmp_path):
    table = pd.DataFrame({"query_id": ["a", "b"], "scores": [np.float32([1, 2]), np.float32([3])]})
    path = write_result(tmp_path, "scenes", table, [metric(), metric("i2t_r1")], MADE, device="cuda:0", seed=2)
    back = read_predictions(tmp_path, "scenes")
    assert list(back["scores"][0]) == [1, 2]
    assert [found["name"] for found in read_result(path)["metrics"]] == ["t2i_r1", "i2t_r1"]
    assert read_result(path)["seed"] == 2
    assert read_record(provenance_path(path))["device"] == "cuda:0"


def test_bad_input(tmp_path):
    with pytest.raises(UserError, match="collect the results first"):
        read_metrics(tmp_path)
    folder = tmp_path / "edje" / "local" / "seed0"
    with pytest.raises(ValueError, match="not finite"):
        write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric(value=np.nan)], MADE)
    with pytest.raises(ValueError, match="different"):
        write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric(), metric()], MADE)
    assert not folder.exists()
    write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric()], MADE)
    pd.DataFrame({"a": [2]}).to_parquet(folder / "scenes.parquet")
    with pytest.raises(UserError, match=r"scenes\.parquet differs from scenes\.json; delete"):
        read_predictions(folder, "scenes")


def items(scores, kinds):
    return pd.DataFrame(scores, columns=["s00", "s01", "s10", "s11"]).assign(item_id="x", kind=kinds)


def test_winoground_is_strict():
    scores = [[2, 1, 1, 2], [2, 3, 1, 4], [2, 1, 3, 4], [1, 1, 1, 1]]
    scored = score_items(items(scores, "count"))
    assert scored["text"].tolist() == [True, True, False, False]
    assert scored["image"].tolist() == [True, False, True, False]
    assert scored["group"].tolist() == [True, False, False, False]


def test_winoground_chance_and_kinds():
    scores = np.random.default_rng(0).random((20_000, 4))
    found = {
        m.name: m
        for m in winoground_metrics(items(scores, np.where(np.arange(20_000) % 2, "count", "size")).iloc[:4000])
    }
    assert set(found) == {f"{n}{k}" for n in CHANCE for k in ("", "/count", "/size")}
    for name, chance in CHANCE.items():
        assert score_items(items(scores, "size"))[name].mean() == pytest.approx(chance, abs=0.01)
        assert found[name].low < chance < found[name].high
