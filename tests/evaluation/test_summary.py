import json

import pandas as pd

from compactvl.evaluation.summary import write_summary


def test_metrics_become_a_tree_and_a_wide_table_of_means_over_seeds(tmp_path):
    rows = [
        ("edje", "main", 0, "scenes", "t2i_r1", 0.2),
        ("edje", "main", 1, "scenes", "t2i_r1", 0.4),
        ("edje", "main", 0, "swaps", "group", 0.5),
        ("edje", "first", 0, "scenes", "t2i_r1", 0.1),
        ("edje", "first", 0, "scenes", "i2t_r1", 1 / 3),
    ]
    table = pd.DataFrame(rows, columns=["study", "variant", "seed", "benchmark", "metric", "value"])
    table.to_csv(tmp_path / "metrics.csv", index=False)
    tree, wide = write_summary(tmp_path / "metrics.csv")
    assert json.loads(tree.read_text()) == {
        "edje": {
            "main": {"scenes": {"t2i_r1": 0.3}, "swaps": {"group": 0.5}},
            "first": {"scenes": {"t2i_r1": 0.1, "i2t_r1": 0.333333}},
        }
    }
    written = pd.read_csv(wide).set_index("model")
    assert list(written.index) == ["main on scenes", "main on swaps", "first on scenes"]
    assert written.loc["main on scenes", "t2i_r1"] == 0.3
    assert pd.isna(written.loc["main on swaps", "t2i_r1"])
