"""Results written, collected and read back."""

import numpy as np
import pandas as pd
import pytest

from compactvl.errors import UserError
from compactvl.evaluation.results import COLUMNS, Metric, collect, read_metrics, read_predictions, write_result
from compactvl.evaluation.winoground import CHANCE, score_items, winoground_metrics
from compactvl.files import sha256_file
from compactvl.records.record import read_record, write_provenance


def metric(name="t2i_r1", value=0.5):
    return Metric(name, value, value - 0.1, value + 0.1, n=10, chance=0.1, higher_is_better=True)


def test_round_trip(tmp_path):
    table = pd.DataFrame({"query_id": ["a", "b"], "scores": [np.float32([1, 2]), np.float32([3])]})
    for variant, seed in (("local", 10), ("local", 2), ("itm_only", 0)):
        write_result(tmp_path / "edje" / variant / f"seed{seed}", "scenes", table, [metric(), metric("i2t_r1")])
    first = collect(tmp_path).read_bytes()
    assert collect(tmp_path).read_bytes() == first
    rows = read_metrics(tmp_path)
    assert tuple(rows.columns) == COLUMNS
    assert (
        list(zip(rows["variant"], rows["seed"], strict=True))
        == [("itm_only", 0)] * 2 + [("local", 2)] * 2 + [("local", 10)] * 2
    )
    assert rows["metric"].tolist()[:2] == ["t2i_r1", "i2t_r1"]
    other = tmp_path / "gating" / "base" / "seed0"
    write_result(other, "language", table, [metric("pairs")])
    one = read_metrics(collect(tmp_path, study="edje").parent)
    assert one.equals(rows)
    collect(tmp_path)
    assert set(read_metrics(tmp_path)["study"]) == {"edje", "gating"}
    back = read_predictions(tmp_path / "edje" / "local" / "seed2", "scenes")
    assert list(back["scores"][0]) == [1, 2]


def test_bad_input(tmp_path):
    with pytest.raises(UserError, match="no results"):
        collect(tmp_path)
    with pytest.raises(UserError, match="collect the results first"):
        read_metrics(tmp_path)
    folder = tmp_path / "edje" / "local" / "seed0"
    with pytest.raises(ValueError, match="not finite"):
        write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric(value=np.nan)])
    with pytest.raises(ValueError, match="different"):
        write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric(), metric()])
    assert not folder.exists()
    write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric()])
    pd.DataFrame({"a": [2]}).to_parquet(folder / "scenes.parquet")
    with pytest.raises(UserError, match="evaluate again"):
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


def test_an_edited_metric_is_not_collected_and_an_edited_table_not_read(tmp_path):
    folder = tmp_path / "edje" / "local" / "seed0"
    path = write_result(folder, "scenes", pd.DataFrame({"a": [1]}), [metric(value=0.5)])
    write_provenance(path, stage="evaluate")
    table = collect(tmp_path)
    assert read_record(tmp_path / "manifest.json")["files"].keys() == {"metrics.csv", "metrics.json", "summary.csv"}
    assert read_record(tmp_path / "manifest.json")["inputs"] == {f"file {path}": sha256_file(path)}
    assert len(read_metrics(tmp_path)) == 1, "a provenance is no result"
    table.write_text(table.read_text().replace(",0.5,", ",0.9,"))
    with pytest.raises(UserError, match=r"metrics\.csv differs from manifest\.json"):
        read_metrics(tmp_path)
    path.write_text(path.read_text().replace('"value": 0.5', '"value": 0.9'))
    for read in (lambda: collect(tmp_path), lambda: read_predictions(folder, "scenes")):
        with pytest.raises(UserError, match=r"scenes\.json was edited"):
            read()
