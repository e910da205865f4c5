"""The bootstrap against closed forms."""

import numpy as np
import pytest
from scipy import stats

from compactvl.evaluation.statistics import (
    bootstrap_interval,
    bootstrap_means,
    bootstrap_ratios,
    mean_difference,
    stratified_bootstrap,
)


def wilson(successes: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@pytest.mark.parametrize("share", [0.3, 0.5, 0.85])
def test_a_share_agrees_with_wilson(share):
    values = np.arange(3000) < share * 3000
    mean, low, high = bootstrap_interval(values)
    assert mean == pytest.approx(share)
    assert (low, high) == pytest.approx(wilson(int(share * 3000), 3000), abs=0.002)


def test_repeatable():
    values = np.random.default_rng(0).random(50)
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_dependent_items_widen_the_interval():
    rng = np.random.default_rng(0)
    values = np.repeat(rng.integers(0, 2, 400), 5)
    clusters = np.repeat(np.arange(400), 5)
    _, low, high = bootstrap_interval(values)
    _, low_c, high_c = bootstrap_interval(values, clusters)
    _, low_1, high_1 = bootstrap_interval(values[::5])
    assert (high_c - low_c) / (high - low) == pytest.approx(np.sqrt(5), rel=0.08)
    assert (low_c, high_c) == pytest.approx((low_1, high_1), abs=0.005)


def test_a_difference_of_means_agrees_with_welch():
    rng = np.random.default_rng(0)
    values, kind = rng.normal(size=1000), rng.choice(["a", "b", "neither"], 1000)
    first, second = kind == "a", kind == "b"
    mean, low, high = mean_difference(values, first, second)
    test = stats.ttest_ind(values[first], values[second], equal_var=False)
    assert mean == pytest.approx(values[first].mean() - values[second].mean())
    assert (low, high) == pytest.approx(tuple(test.confidence_interval()), abs=0.02)


def test_columns_count_only_their_own_items():
    values = np.array([[1.0, np.nan], [0.0, np.nan], [np.nan, 1.0]])
    (a, *_), (b, low, high) = bootstrap_means(values)
    assert (a, b, low, high) == (0.5, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="no items"):
        bootstrap_means(np.full((2, 1), np.nan))


def test_a_macro_mean_resamples_within_groups():
    rng = np.random.default_rng(0)
    groups = np.repeat(["a", "b"], [900, 100])
    values = (rng.random(1000) < np.where(groups == "a", 0.9, 0.5)).astype(float)
    (macro, low, high), parts = stratified_bootstrap(values, groups)
    means = [values[groups == g].mean() for g in "ab"]
    assert macro == pytest.approx(np.mean(means))
    assert [parts[g][0] for g in "ab"] == pytest.approx(means)
    half = 1.96 * np.sqrt(sum(m * (1 - m) / n for m, n in zip(means, (900, 100), strict=True))) / 2
    assert (low, high) == pytest.approx((macro - half, macro + half), abs=0.005)
    assert parts["b"][1:] == pytest.approx(bootstrap_interval(values[groups == "b"])[1:], abs=0.011)


def test_drawing_kinds_of_units_is_drawing_units():
    """Few-valued units are drawn by a multinomial, others one by one: the same distribution."""
    rng = np.random.default_rng(1)
    values, clusters = rng.integers(0, 2, 3000), rng.integers(0, 900, 3000)
    interval, _ = stratified_bootstrap(values, np.full(3000, "one"), clusters)
    assert interval == pytest.approx(bootstrap_interval(values, clusters), abs=0.001)
    jittered, _ = stratified_bootstrap(values + rng.random(3000) * 1e-9, np.full(3000, "one"), clusters)
    assert jittered == pytest.approx(interval, abs=0.001)


def test_a_ratio_of_sums_agrees_with_the_delta_method():
    rng = np.random.default_rng(0)
    tokens = rng.integers(3, 30, 2000).astype(float)
    loss = tokens * 4 + rng.normal(0, 5, 2000)
    ((ratio, low, high),) = bootstrap_ratios(loss[:, None], tokens[:, None])
    assert ratio == loss.sum() / tokens.sum()
    half = 1.96 * (loss - ratio * tokens).std() / tokens.mean() / np.sqrt(2000)
    assert (low, high) == pytest.approx((ratio - half, ratio + half), abs=0.1 * half)
