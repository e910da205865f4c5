"""Paired differences against loops and scipy's bootstrap; the claims made of them."""

import numpy as np
import pytest
from scipy import stats

from compactvl.reporting.claims import FAILS, HOLDS, LEFT, OPEN
from compactvl.reporting.paired import Measure, about, above_chance, better, difference, versus
from compactvl.reporting.study import over_seeds

RESAMPLES = 4000


def values(toy, variant, metric="accuracy"):
    return toy.items(variant, "test", metric).sort_index()


def by_stratum(table):
    """The values of each cluster of each stratum."""
    return [[group["value"].to_numpy() for _, group in part.groupby("cluster")] for _, part in table.groupby("stratum")]


def resampled(tables, rng):
    """Mean over tables of the mean over strata, each with its clusters drawn anew: one draw, by loops."""
    means = []
    for table in tables:
        strata = []
        for clusters in table:
            drawn = [clusters[i] for i in rng.integers(0, len(clusters), len(clusters))]
            strata.append(np.concatenate(drawn).mean())
        means.append(np.mean(strata))
    return np.mean(means)


def close(found, expected):
    """Two bootstraps agree to a twentieth of the interval's width."""
    assert found == pytest.approx(expected, abs=(expected[1] - expected[0]) / 20)


def test_a_difference_of_items_is_scipys(toy):
    """With each item its own cluster."""
    items = toy.items
    toy.items = lambda *key: items(*key).assign(cluster=lambda table: table.index)
    (pair,) = versus("good", "bad", "test", "accuracy")
    mean, low, high = difference(toy, pair)
    apart = (values(toy, "good")["value"] - values(toy, "bad")["value"]).to_numpy()
    assert mean == pytest.approx(apart.mean())
    found = stats.bootstrap((apart,), np.mean, method="percentile", n_resamples=RESAMPLES, rng=1).confidence_interval
    close((low, high), tuple(found))


@pytest.mark.parametrize("metrics", [("accuracy",), ("accuracy", "macro")])
def test_clusters_strata_and_several_metrics_are_a_loops(toy, metrics):
    tables = []
    for metric in metrics:
        table = values(toy, "good", metric)
        table["value"] -= values(toy, "bad", metric)["value"]
        tables.append(table if "stratum" in table else table.assign(stratum=""))
    mean, low, high = difference(toy, *versus("good", "bad", "test", *metrics))
    estimates = [toy.estimate("good", "test", m).value - toy.estimate("bad", "test", m).value for m in metrics]
    assert mean == pytest.approx(np.mean(estimates), abs=1e-5)
    rng = np.random.default_rng(1)
    grouped = [by_stratum(table) for table in tables]
    draws = [resampled(grouped, rng) for _ in range(1500)]
    close((low, high), tuple(np.quantile(draws, [0.025, 0.975])))


def seeded(toy, counts):
    """The toy with so many seeds a variant: each seed's items are shifted by chance, alike for all its items."""
    items, shifts = toy.items, {v: np.random.default_rng(len(v)).normal(0, 0.1, n) for v, n in counts.items()}

    def of(variant, benchmark, metric):
        table = items(variant, benchmark, metric)
        own = over_seeds([table["value"] + shift for shift in shifts[variant]])
        return own.assign(**table.drop(columns="value"))

    toy.items = of
    return shifts


@pytest.mark.parametrize("metrics", [("accuracy",), ("accuracy", "macro")])
def test_several_seeds_are_resampled_too(toy, metrics):
    """Two levels by loops: clusters within strata, and each variant's seeds, the same ones for all its metrics."""
    plain = {m: {v: values(toy, v, m) for v in ("good", "bad")} for m in metrics}
    shifts = seeded(toy, {"good": 4, "bad": 3})
    mean, low, high = difference(toy, *versus("good", "bad", "test", *metrics))
    tables = []
    for both in plain.values():
        table = both["good"].assign(value=both["good"]["value"] - both["bad"]["value"])
        tables.append(table if "stratum" in table else table.assign(stratum=""))
    apart = shifts["good"].mean() - shifts["bad"].mean()
    assert mean == pytest.approx(np.mean([t.groupby("stratum")["value"].mean().mean() for t in tables]) + apart)
    rng = np.random.default_rng(1)
    drawn = [rng.choice(shifts["good"], 4).mean() - rng.choice(shifts["bad"], 3).mean() for _ in range(1500)]
    grouped = [by_stratum(table) for table in tables]
    draws = [resampled(grouped, rng) + seeds for seeds in drawn]
    close((low, high), tuple(np.quantile(draws, [0.025, 0.975])))


def test_a_seed_widens_the_interval_only_where_seeds_differ(toy):
    alone = difference(toy, *versus("good", "bad", "test", "accuracy"))
    items = toy.items
    toy.items = lambda variant, *key: over_seeds([items(variant, *key)["value"]] * 3).assign(
        cluster=items(variant, *key)["cluster"]
    )
    same = difference(toy, *versus("good", "bad", "test", "accuracy"))
    assert same == pytest.approx(alone, abs=(alone[2] - alone[1]) / 20)
    toy.items = items
    seeded(toy, {"good": 5, "bad": 5})
    _, low, high = difference(toy, *versus("good", "bad", "test", "accuracy"))
    assert high - low > 1.3 * (alone[2] - alone[1])


def test_clusters_widen_the_interval(toy):
    """Items of a cluster are right or wrong together here, so there are fewer of them than they seem."""
    items = toy.items
    table = values(toy, "good")
    blocks = table.groupby("cluster")["value"].transform("first")
    toy.items = lambda variant, *key: items(variant, *key).assign(value=blocks if variant == "good" else 0.0)
    _, low, high = difference(toy, *versus("good", "bad", "test", "accuracy"))
    spread = np.sqrt(blocks.var() / len(blocks)) * 2 * 1.96
    assert high - low > 1.5 * spread


def test_the_mean_of_several_variants_is_their_items(toy):
    many = [Measure(variant, "test", "accuracy") for variant in ("good", "same")]
    mean, low, high = difference(toy, (many, Measure("bad", "test", "accuracy")))
    each = [difference(toy, *versus(v, "bad", "test", "accuracy"))[0] for v in ("good", "same")]
    assert mean == pytest.approx(np.mean(each))
    assert low < mean < high


def test_only_items_of_both_count(toy):
    items, known = toy.items, values(toy, "bad").index[:50]
    toy.items = lambda variant, *key: items(variant, *key).loc[known] if variant == "bad" else items(variant, *key)
    apart = values(toy, "good")["value"][known] - values(toy, "bad")["value"]
    assert difference(toy, *versus("good", "bad", "test", "accuracy"))[0] == pytest.approx(apart.mean())
    assert difference(toy, *versus("good", "nobody", "test", "accuracy")) is None
    toy.items = lambda variant, *key: (
        items(variant, *key).rename(str.upper) if variant == "bad" else items(variant, *key)
    )
    assert difference(toy, *versus("good", "bad", "test", "accuracy")) is None


def test_claims(toy):
    good, bad, same = (Measure(variant, "test", "accuracy") for variant in ("good", "bad", "same"))
    before, after = (100 * toy.estimate(*measure).value for measure in (bad, good))
    found = better(toy, [(good, bad)])
    assert found.verdict == HOLDS
    assert found.evidence.startswith(f"accuracy {before:.1f} → {after:.1f}, {after - before:+.1f} points [")
    assert better(toy, [(bad, good)]).verdict == FAILS
    assert better(toy, [(same, bad)]).verdict == OPEN
    assert better(toy, [(good, bad), (same, bad)]).verdict == OPEN, "in each"
    both = better(toy, versus("good", "bad", "test", "accuracy", "macro"), mean=True)
    assert both.evidence.startswith("mean of 2 +")
    assert "; macro " in both.evidence
    assert better(toy, [(good, Measure("nobody", "test", "accuracy"))]).evidence == "not run: nobody (accuracy)"
    assert about(toy, same, bad, 0.5).verdict == HOLDS
    assert about(toy, bad, good, 0.01).verdict == FAILS
    assert above_chance(toy, good).evidence.startswith(f"accuracy {after:.1f} against 50.0 by chance, ")
    assert above_chance(toy, good).verdict == OPEN, "its interval is 0 to 1"
    assert above_chance(toy, Measure("nobody", "test", "accuracy")).verdict == LEFT
