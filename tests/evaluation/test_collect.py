"""Results become tables."""

import json
from pathlib import Path

import pandas as pd
import pytest

from compactvl.errors import UserError
from compactvl.evaluation.collect import collect, find_results, tree, wide
from compactvl.evaluation.results import COLUMNS, Metric, read_metrics, read_predictions, write_result
from compactvl.files import sha256_file
from compactvl.records.record import Made, hashes, read_record

MADE = Made("evaluate", "code")


def write(results: Path, study: str, variant: str, seed: int, *names: str, value: float = 0.5) -> Path:
    metrics = [Metric(name, value, value - 0.1, value + 0.1, n=10, chance=0.1, higher_is_better=True) for name in names]
    folder = results / study / variant / f"seed{seed}"
    return write_result(folder, "scenes", pd.DataFrame({"a": [1]}), metrics, MADE)


def collected(results: Path, study: str | None = None) -> Path:
    return collect(results, Made("collect", "code", inputs=hashes(find_results(results, study))), study)


def test_rows_are_sorted_and_equal_results_give_equal_bytes(tmp_path):
    for variant, seed in (("local", 10), ("local", 2), ("itm_only", 0)):
        write(tmp_path, "edje", variant, seed, "t2i_r1", "i2t_r1")
    first = collected(tmp_path).read_bytes()
    assert collected(tmp_path).read_bytes() == first
    rows = read_metrics(tmp_path)
    assert tuple(rows.columns) == COLUMNS
    wanted = [("itm_only", 0)] * 2 + [("local", 2)] * 2 + [("local", 10)] * 2
    assert list(zip(rows["variant"], rows["seed"], strict=True)) == wanted
    assert rows["metric"].tolist()[:2] == ["t2i_r1", "i2t_r1"]
    write(tmp_path, "gating", "base", 0, "pairs")
    assert read_metrics(collected(tmp_path, "edje").parent).equals(rows)
    collected(tmp_path)
    assert set(read_metrics(tmp_path)["study"]) == {"edje", "gating"}


def test_without_results_there_is_no_table(tmp_path):
    with pytest.raises(UserError, match="no results"):
        collected(tmp_path)


def test_names_are_never_missing_values(tmp_path):
    names = ["None", "NA", "nan", "null", "inf", "True", "edje"]
    for name in names:
        write(tmp_path, "edje", name, 0, "NA")
    collected(tmp_path)
    assert read_metrics(tmp_path)["variant"].tolist() == sorted(names)
    assert set(json.loads((tmp_path / "metrics.json").read_text())["edje"]) == set(names)
    assert (tmp_path / "summary.csv").read_text().count(",0.5") == len(names)


def test_line_ends_in_names_are_kept(tmp_path):
    write(tmp_path, "edje", "local", 0, "a\rb", "c\nd", "e")
    collected(tmp_path)
    rows = read_metrics(tmp_path)
    assert rows["metric"].tolist() == ["a\rb", "c\nd", "e"]
    assert rows["value"].tolist() == [0.5] * 3
    assert rows["higher_is_better"].all()
    assert list(pd.read_csv(tmp_path / "summary.csv"))[-3:] == ["a\rb", "c\nd", "e"]


def test_an_edited_metric_is_not_collected_and_an_edited_table_not_read(tmp_path):
    path = write(tmp_path, "edje", "local", 0, "t2i_r1")
    table = collected(tmp_path)
    record = read_record(tmp_path / "manifest.json")
    assert record["files"].keys() == {"metrics.csv", "metrics.json", "summary.csv"}
    assert record["inputs"] == {str(path): sha256_file(path)}
    assert len(read_metrics(tmp_path)) == 1, "a provenance is no result"
    table.write_text(table.read_text().replace(",0.5,", ",0.9,"))
    with pytest.raises(UserError, match=r"metrics\.csv differs from manifest\.json"):
        read_metrics(tmp_path)
    path.write_text(path.read_text().replace('"value": 0.5', '"value": 0.9'))
    for read in (lambda: collected(tmp_path), lambda: read_predictions(path.parent, "scenes")):
        with pytest.raises(UserError, match=r"scenes\.json was edited"):
            read()


def test_metrics_become_a_tree_and_a_wide_table_of_means_over_seeds():
    rows = [
        ("edje", "main", 0, "scenes", "t2i_r1", 0.2),
        ("edje", "main", 1, "scenes", "t2i_r1", 0.4),
        ("edje", "main", 0, "swaps", "group", 0.5),
        ("edje", "first", 0, "scenes", "t2i_r1", 0.1),
        ("edje", "first", 0, "scenes", "i2t_r1", 1 / 3),
    ]
    table = pd.DataFrame(rows, columns=["study", "variant", "seed", "benchmark", "metric", "value"])
    assert tree(table) == {
        "edje": {
            "main": {"scenes": {"t2i_r1": 0.3}, "swaps": {"group": 0.5}},
            "first": {"scenes": {"t2i_r1": 0.1, "i2t_r1": 0.333333}},
        }
    }
    found = wide(table).set_index("model")
    assert list(found.index) == ["main on scenes", "main on swaps", "first on scenes"]
    assert found.loc["main on scenes", "t2i_r1"] == pytest.approx(0.3)
    assert pd.isna(found.loc["main on swaps", "t2i_r1"])
