"""The gates' tests against hand-written loops, planted effects and degenerate tables."""

import math
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compactvl.evaluation.gate_regression import regression
from compactvl.evaluation.gate_tables import COLLAPSE, gate_columns, words_of
from compactvl.evaluation.gate_tests import dunn_by_pos, kruskal_by_pos, spearman_with
from compactvl.evaluation.gates import MEASURES, gates_metrics
from compactvl.evaluation.rank_statistics import kruskal_h, spearman, weighted_ranks
from compactvl.evaluation.results import write_result
from compactvl.records.record import Made

TAGS = ["DET", "ADJ", "NOUN", "ADP", "NUM", "."]


def words(captions=60, length=8, seed=0, content=0.0, caption_noise=0.0):
    """A table of captions: gates in 0.3..0.7, content words' raised by ``content``."""
    rng = np.random.default_rng(seed)
    n = captions * length
    pos = rng.choice(TAGS, n)
    gate = 0.3 + 0.4 * rng.random(n) + content * np.isin(pos, ["ADJ", "NOUN", "NUM"])
    gate += np.repeat(rng.normal(0, caption_noise, captions), length) if caption_noise else 0
    return pd.DataFrame(
        {
            "source": "captions",
            "item_id": np.repeat([f"c{i}" for i in range(captions)], length),
            "image_id": np.repeat([f"image{i // 2}" for i in range(captions)], length),
            "position": np.tile(np.arange(length), captions),
            "pos": pos,
            "frequency": rng.integers(0, 40, n) / 10,
            "concreteness": np.where(rng.random(n) < 0.2, np.nan, 1 + 4 * rng.random(n)),
            "gate_0": np.float32(0.5),
            "gate_1": gate.round(2).astype(np.float32),
            "gate_sd": np.float32(0.1),
            "condition": "",
            "correct": np.nan,
            "correct_no_image": np.nan,
        }
    )


def probe(n=30, seed=0):
    rng = np.random.default_rng(seed)
    parts = []
    for condition, right in (("useful", 0.7), ("necessary", 0.9), ("irrelevant", 0.5)):
        part = words(n, 1, seed).assign(source="probe", condition=condition, pos="NOUN")
        part["item_id"] = condition + part["item_id"]
        parts.append(part.assign(correct=(rng.random(n) < right) * 1.0, correct_no_image=(rng.random(n) < 0.2) * 1.0))
    return pd.concat(parts, ignore_index=True)


def tagged(table):
    return table[table["pos"] != "."]


def by_pos(table):
    table = tagged(table)
    return {pos: table.loc[table["pos"] == pos, "gate_1"].to_numpy(float) for pos in sorted(set(table["pos"]))}


def test_kruskal_and_its_effect_size():
    table = words(content=0.05)
    groups = by_pos(table)
    (h, h_low, h_high), (epsilon_squared, low, high) = kruskal_by_pos(words_of(table), n_boot=200)
    n = sum(map(len, groups.values()))
    assert h == pytest.approx(stats.kruskal(*groups.values()).statistic)
    assert epsilon_squared == pytest.approx(h / ((n**2 - 1) / (n + 1))) == pytest.approx(h / (n - 1))
    assert low < epsilon_squared < high
    assert h_low < h < h_high


def test_a_weighted_resample_is_a_copied_one():
    rng = np.random.default_rng(0)
    x, y, groups = rng.integers(0, 9, 50) / 3, rng.random(50).round(1), rng.choice(list("abc"), 50)
    weights = rng.integers(0, 4, (5, 50)).astype(float)
    ranks, _ = weighted_ranks(x, weights)
    h, epsilon_squared = kruskal_h(x, groups, weights)
    rho = spearman(x, y, weights)
    for row, weight in enumerate(weights.astype(int)):
        copies = np.repeat(np.arange(50), weight)
        assert ranks[row][copies] == pytest.approx(stats.rankdata(x[copies]))
        parts = [x[copies][groups[copies] == label] for label in "abc"]
        assert h[row] == pytest.approx(stats.kruskal(*parts).statistic)
        assert epsilon_squared[row] == pytest.approx(h[row] / (len(copies) - 1))
        assert rho[row] == pytest.approx(stats.spearmanr(x[copies], y[copies]).statistic)


def test_dunn_against_a_loop():
    table = words(content=0.08)
    groups = by_pos(table)
    pooled = np.concatenate(list(groups.values()))
    n, ranks = len(pooled), stats.rankdata(pooled)
    ties = sum(t**3 - t for t in np.unique(pooled, return_counts=True)[1])
    variance = n * (n + 1) / 12 - ties / (12 * (n - 1))
    start, mean = 0, {}
    for pos, values in groups.items():
        mean[pos] = ranks[start : start + len(values)].mean()
        start += len(values)
    p = {}
    for a, b in combinations(groups, 2):
        z = (mean[a] - mean[b]) / math.sqrt(variance * (1 / len(groups[a]) + 1 / len(groups[b])))
        p[a, b] = math.erfc(abs(z) / math.sqrt(2))
    holm, largest = {}, 0.0
    for place, pair in enumerate(sorted(p, key=p.get)):
        largest = max(largest, min(1.0, p[pair] * (len(p) - place)))
        holm[pair] = largest
    found = dunn_by_pos(words_of(table))
    assert list(found.index) == list(found.columns) == list(groups)
    for a, b in p:
        assert found.at[a, b] == found.at[b, a] == pytest.approx(holm[a, b])
    assert found.min(axis=None) < 0.05 < max(found.at[pair] for pair in p)


def test_classes_of_words():
    tags = ["NOUN", "VERB", "ADJ", "ADV", "NUM", "DET", "ADP", "PRON", "CONJ", "PRT", "X", ".", ""]
    words = words_of(pd.DataFrame({"source": "captions", "pos": tags, "gate_0": 0.5}))
    assert words["word_class"].tolist() == ["content"] * 5 + ["function"] * 5 + [""] * 3


def test_spearman_where_known():
    table = words()
    table.loc[table["concreteness"].notna(), "gate_1"] += (table["concreteness"] / 20).astype(np.float32)
    known = table[table["concreteness"].notna()]
    expected = stats.spearmanr(known["gate_1"].astype(float), known["concreteness"]).statistic
    rho, low, high = spearman_with(words_of(table), "concreteness", n_boot=200)
    assert rho == pytest.approx(expected)
    assert 0 < low < rho < high


def test_dependent_words_widen_the_interval():
    """Words of a caption that share their gate and frequency are worth one word."""
    table = words(80, seed=1)
    table[["gate_1", "frequency"]] = table.groupby("item_id")[["gate_1", "frequency"]].transform("first")
    alone = table.assign(item_id=[f"w{i}" for i in range(len(table))])
    wide, narrow = (spearman_with(words_of(t), "frequency", n_boot=400) for t in (table, alone))
    assert wide[0] == narrow[0]
    assert (wide[2] - wide[1]) / (narrow[2] - narrow[1]) == pytest.approx(math.sqrt(8), rel=0.2)


def test_regression_finds_what_was_planted():
    table = words(300, seed=2)
    table["concreteness"] = table["concreteness"].fillna(3.0)
    classed = table[table["pos"] != "."]
    z = {
        name: (classed[name] - classed[name].mean()) / classed[name].std(ddof=0)
        for name in ("frequency", "concreteness")
    }
    content = np.where(classed["pos"].isin(["ADJ", "NOUN", "NUM"]), 0.5, -0.5)
    noise = np.random.default_rng(0).normal(0, 0.01, len(classed))
    gate = 0.5 + 0.04 * z["frequency"] - 0.02 * content + 0.03 * z["frequency"] * content + noise
    table.loc[classed.index, "gate_1"] = gate.astype(np.float32)
    found = regression(words_of(table)).set_index("term")
    assert found.index.tolist() == [
        "intercept", "frequency", "content", "concreteness",
        "frequency:content", "concreteness:content", "frequency:concreteness",
    ]  # fmt: skip
    planted = {"intercept": 0.5, "frequency": 0.04, "content": -0.02, "frequency:content": 0.03}
    for term, row in found.iterrows():
        assert row["coef"] == pytest.approx(planted.get(term, 0), abs=0.002)
        assert row["low"] < row["coef"] < row["high"]
        assert (row["p"] < 1e-6) == (term in planted)
    without = regression(words_of(table.assign(concreteness=np.nan)))
    assert without["term"].tolist() == ["intercept", "frequency", "content", "frequency:content"]
    one_class = regression(words_of(table[table["pos"].isin(["DET", "ADP"])].assign(concreteness=np.nan)))
    assert one_class["term"].tolist() == ["intercept", "frequency"]


def test_regression_errors_are_robust_to_clusters():
    """The sandwich estimator, written out."""
    table = words(40, caption_noise=0.05).assign(concreteness=np.nan)
    table = table[table["pos"] != "."]
    frequency = ((table["frequency"] - table["frequency"].mean()) / table["frequency"].std(ddof=0)).to_numpy()
    content = np.where(table["pos"].isin(["ADJ", "NOUN", "NUM"]), 0.5, -0.5)
    x = np.stack([np.ones(len(table)), frequency, content, frequency * content], axis=1)
    y = table["gate_1"].to_numpy(float)
    bread = np.linalg.inv(x.T @ x)
    coef = bread @ x.T @ y
    scores = pd.DataFrame(x * (y - x @ coef)[:, None]).groupby(table["image_id"].to_numpy()).sum().to_numpy()
    g, (n, k) = len(scores), x.shape
    error = np.sqrt(np.diag(bread @ scores.T @ scores @ bread) * g / (g - 1) * (n - 1) / (n - k))
    found = regression(words_of(table))
    assert found["coef"].tolist() == pytest.approx(coef.tolist())
    assert ((found["high"] - found["low"]) / 2).tolist() == pytest.approx((stats.t.ppf(0.975, g - 1) * error).tolist())


def test_gates_that_hardly_vary_have_collapsed(caplog):
    table = words()

    def warned(spread):
        caplog.clear()
        found = {m.name: m.value for m in gates_metrics(table.assign(gate_1=0.5 + spread * (table["gate_1"] - 0.5)))}
        assert (found["gate_sd"] < COLLAPSE) == ("the gates have collapsed" in caplog.text)
        return bool(caplog.text)

    assert warned(0)
    assert warned(0.02), "a hundredth of a gate's range is no difference"
    assert not warned(0.2)
    assert gate_columns(pd.DataFrame(columns=["gate_10", "gate_2", "gate_sd"])) == ["gate_2", "gate_10"]
    with pytest.raises(ValueError, match="no column gate_0"):
        gates_metrics(table.drop(columns=["gate_0", "gate_1"]))


def test_probe():
    table = pd.concat([words(), probe()], ignore_index=True)
    found = {metric.name: metric for metric in gates_metrics(table)}
    for condition in ("necessary", "useful", "irrelevant"):
        for column, name in MEASURES.items():
            metric = found[f"{name}/{condition}"]
            mine = table.loc[table["condition"] == condition, "gate_1" if column == "gate" else column]
            assert metric.value == pytest.approx(mine.mean(), rel=1e-6)
            assert (metric.n, metric.low <= metric.value <= metric.high) == (30, True)
            assert metric.higher_is_better == (column != "gate")
    unanswered = {metric.name for metric in gates_metrics(table.assign(correct=np.nan))}
    assert set(found) - unanswered == {f"probe_accuracy/{name}" for name in ("necessary", "useful", "irrelevant")}
    assert not any(metric.name.startswith("probe") for metric in gates_metrics(words()))


def test_metrics(tmp_path):
    table = pd.concat([words(content=0.05), probe()], ignore_index=True)
    metrics = gates_metrics(table)
    write_result(tmp_path, "gates", table, metrics, Made("evaluate", ""))
    found = {metric.name: metric for metric in metrics}
    per_condition = [f"probe_{part}/{name}" for name in ("necessary", "useful", "irrelevant") for part in MEASURED]
    assert list(found) == [
        "gate_mean", "gate_sd", "kruskal_h", "epsilon_squared", "content_minus_function",
        "spearman_frequency", "spearman_concreteness",
        "gate/ADJ", "gate/ADP", "gate/DET", "gate/NOUN", "gate/NUM", *per_condition,
    ]  # fmt: skip
    gate = table.loc[table["source"] == "captions", "gate_1"].to_numpy(float)
    assert (found["gate_mean"].value, found["gate_sd"].value) == pytest.approx((gate.mean(), gate.std()))
    assert all(metric.low <= metric.value <= metric.high for metric in metrics)
    nouns = (table["source"] == "captions") & (table["pos"] == "NOUN")
    assert found["gate/NOUN"].value == pytest.approx(table.loc[nouns, "gate_1"].mean(), rel=1e-6)
    content, function = (
        gate[table["pos"].head(len(gate)).isin(tags)] for tags in (["ADJ", "NOUN", "NUM"], ["DET", "ADP"])
    )
    contrast = found["content_minus_function"]
    assert contrast.value == pytest.approx(content.mean() - function.mean())
    assert (contrast.n, contrast.low > 0) == (len(content) + len(function), True)
    assert metrics == gates_metrics(table)
    assert "spearman_concreteness" not in {m.name for m in gates_metrics(table.assign(concreteness=np.nan))}


MEASURED = ("gate", "accuracy", "accuracy_no_image")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.assign(gate_1=np.float32(0.7)),
        lambda t: t.assign(pos="NOUN"),
        lambda t: t.assign(pos=""),
        lambda t: t.assign(pos=["VERB", "DET"] + ["NOUN"] * (len(t) - 2)),
        lambda t: t.assign(frequency=1.0, item_id="one", image_id="one"),
        lambda t: t.assign(frequency=np.nan, image_id=""),
        lambda t: t.head(1),
        lambda t: t.head(2),
    ],
    ids=["constant", "one tag", "no tags", "tags of one word", "one caption", "no frequency", "one word", "two words"],
)
def test_degenerate_tables_give_finite_numbers(change, tmp_path):
    table = change(words(10))
    write_result(tmp_path, "gates", table, gates_metrics(table), Made("evaluate", ""))
    known = words_of(table)
    found = dunn_by_pos(known)
    assert found.empty or ((found >= 0) & (found <= 1)).all(axis=None)
    assert np.isfinite(regression(known).drop(columns="term").astype(float)).all(axis=None)


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="no word of a caption"):
        gates_metrics(words().head(0))
