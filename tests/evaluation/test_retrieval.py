"""R@K against a loop, against pytrec_eval, against the average over random orders; the two-stage invariants."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.evaluation.benchmarks.retrieval import Settings
from compactvl.evaluation.pairs import first_stage_table, rescored
from compactvl.evaluation.retrieval import chance_at_k, expected_rank, hit_probability, query_hits, retrieval_metrics
from compactvl.records.layout import Layout


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def problem(rng, queries=40, gallery=30, positives=3, levels=None):
    scores = rng.normal(size=(queries, gallery)) if levels is None else rng.integers(0, levels, (queries, gallery)) / 4
    relevant = np.zeros((queries, gallery), dtype=bool)
    for row in relevant:
        row[rng.choice(gallery, rng.integers(1, positives + 1), replace=False)] = True
    return scores, relevant


@pytest.mark.parametrize("k", [1, 5, 10, 50])
def test_equals_a_loop_without_ties(rng, k):
    scores, relevant = problem(rng)
    loop = [
        any(r[i] for i in sorted(range(len(s)), key=lambda i: -s[i])[:k]) for s, r in zip(scores, relevant, strict=True)
    ]
    np.testing.assert_array_equal(hit_probability(scores, relevant, k), np.array(loop, dtype=float))


@pytest.mark.parametrize("k", [1, 5, 10])
def test_equals_pytrec_eval_without_ties(rng, k):
    pytrec_eval = pytest.importorskip("pytrec_eval")
    scores, relevant = problem(rng)
    truth = {f"q{q}": {f"d{d}": int(v) for d, v in enumerate(row)} for q, row in enumerate(relevant)}
    run = {f"q{q}": {f"d{d}": float(v) for d, v in enumerate(row)} for q, row in enumerate(scores)}
    report = pytrec_eval.RelevanceEvaluator(truth, {"success"}).evaluate(run)
    theirs = np.mean([row[f"success_{k}"] for row in report.values()])
    assert hit_probability(scores, relevant, k).mean() == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_ties_equal_the_average_over_every_order(rng, k):
    scores, relevant = problem(rng, queries=6, gallery=5, positives=3, levels=3)
    orders = list(itertools.permutations(range(5)))
    for row_scores, row_relevant in zip(scores, relevant, strict=True):
        hits = [row_relevant[sorted(order, key=lambda i: -row_scores[i])[:k]].any() for order in orders]
        ours = hit_probability(row_scores[None], row_relevant[None], k)[0]
        assert ours == pytest.approx(np.mean(hits), abs=1e-12)


def test_ties_equal_the_average_over_random_orders(rng):
    scores, relevant = problem(rng, queries=20, gallery=25, levels=4)
    total = np.zeros(20)
    for _ in range(4000):
        order = rng.permutation(25)
        ranked = order[np.argsort(-scores[:, order], axis=1, kind="stable")]
        total += np.take_along_axis(relevant, ranked[:, :5], axis=1).any(axis=1)
    np.testing.assert_allclose(hit_probability(scores, relevant, 5), total / 4000, atol=0.04)


@pytest.mark.parametrize("k", [1, 5, 10])
def test_equal_scores_give_chance_wherever_the_positive_is(k):
    relevant = np.eye(50, dtype=bool)
    assert hit_probability(np.zeros((50, 50)), relevant, k).mean() == pytest.approx(k / 50)
    several = np.zeros((1, 50), dtype=bool)
    several[0, :5] = True
    assert hit_probability(np.zeros((1, 50)), several, k)[0] == pytest.approx(chance_at_k([50], [5], k)[0])


def test_chance_is_one_when_the_list_holds_all():
    np.testing.assert_array_equal(chance_at_k([5, 10], [1, 3], 10), [1.0, 1.0])


def test_extreme_scores():
    scores = np.array([[-np.inf, -np.inf, 1.0], [np.inf, 0.0, np.inf]])
    relevant = np.array([[True, False, False], [True, False, False]])
    np.testing.assert_allclose(hit_probability(scores, relevant, 1), [0.0, 0.5])
    np.testing.assert_allclose(hit_probability(scores, relevant, 2), [0.5, 1.0])
    np.testing.assert_array_equal(hit_probability(scores, np.zeros_like(relevant), 3), [0.0, 0.0])
    with pytest.raises(ValueError, match="NaN"):
        hit_probability(np.array([[np.nan]]), np.array([[True]]), 1)


def test_expected_rank():
    assert expected_rank(np.array([[3.0, 2.0, 1.0]]), np.array([[False, True, True]]))[0] == 2.0
    tied = expected_rank(np.zeros((1, 5)), np.array([[True, True, False, False, False]]))[0]
    assert tied == pytest.approx(np.mean([min(pair) + 1 for pair in itertools.combinations(range(5), 2)]))


def gallery(rng, images=60, captions=5, noise=1.0):
    owners = np.repeat([f"i{n}" for n in range(images)], captions)
    items = pd.DataFrame({"image_id": owners, "split": "test", "caption": "a dog"})
    own = np.repeat(np.eye(images), captions, axis=1)
    scores = (own * 2 + rng.normal(size=own.shape) * noise).astype(np.float32)
    return scores, Pairs.of(SimpleNamespace(name="toy", items=items), "test")


class Reranker:
    """Scores of a matrix (images, captions)."""

    def __init__(self, matrix):
        self.matrix = matrix

    def score_pairs(self, image_ids, texts, images, captions):
        asked = list(zip(images.tolist(), captions.tolist(), strict=True))
        assert len(set(asked)) == len(asked), "a pair is scored once"
        assert len(list(itertools.groupby(images))) == len(set(images)), "an image's pairs are adjacent"
        return self.matrix[images, captions]


@pytest.mark.parametrize("pool", [5, 10, 20])
def test_candidates_and_first_rank(rng, pool):
    scores, pairs = gallery(rng)
    table = first_stage_table(scores, pairs, pool, queries_per_image=2)
    assert (table["direction"] == "t2i").sum() == 120
    assert (table["direction"] == "i2t").sum() == 60
    row = table[table["query_id"] == "26"].iloc[0]
    order = np.argsort(-scores[:, 26])
    assert list(row["candidates"]) == [f"i{n}" for n in order[:pool]]
    np.testing.assert_array_equal(row["first_scores"], scores[order[:pool], 26])
    assert row["first_rank"] == list(order).index(5) + 1
    assert row["cluster_id"] == "i5"
    row = table[table["query_id"] == "i7"].iloc[0]
    assert list(row["candidates"]) == [str(n) for n in np.argsort(-scores[7])[:pool]]
    assert row["n_relevant"] == 5
    assert row["n_gallery"] == 300


@pytest.mark.parametrize("scorer", ["random", "equal", "coarse"])
def test_r10_of_a_pool_of_ten_is_the_first_stages(rng, scorer):
    scores, pairs = gallery(rng, noise=1.5)
    table = first_stage_table(scores, pairs, 10)
    new = {
        "random": rng.normal(size=scores.shape),
        "equal": np.zeros(scores.shape),
        "coarse": rng.integers(0, 2, scores.shape),
    }
    after = rescored(table, pairs, Reranker(new[scorer]))
    for direction in ("t2i", "i2t"):
        before = query_hits(table, direction, 10, 10).mean()
        assert query_hits(after, direction, 10, 10).mean() == before
        assert 0 < before < 1
        first = table[table["direction"] == direction]
        assert before == (first["first_rank"] <= 10).mean()


def test_an_embedding_models_metrics_are_those_of_the_whole_matrix(rng):
    scores, pairs = gallery(rng)
    table = first_stage_table(scores, pairs, 10)
    positives = np.arange(len(scores))[:, None] == pairs.owner
    for metric in retrieval_metrics(table):
        if metric.name in ("mean_r1", "t2i_in_pool", "i2t_in_pool"):
            continue
        direction, k = metric.name.split("_r")
        whole = (scores.T, positives.T) if direction == "t2i" else (scores, positives)
        assert metric.value == pytest.approx(hit_probability(*whole, int(k)).mean(), abs=1e-12)
        assert metric.low <= metric.value <= metric.high


def test_a_constant_first_stage_is_at_chance_and_not_in_array_order(rng):
    scores, pairs = gallery(rng, images=200)
    table = first_stage_table(np.zeros_like(scores), pairs, 10)
    found = {m.name: m for m in retrieval_metrics(table)}
    for name in ("t2i_r1", "t2i_r10", "i2t_r1", "i2t_r10"):
        assert found[name].value == pytest.approx(found[name].chance, abs=0.03)
    first = list(table["candidates"].iloc[0])
    assert first != [f"i{n}" for n in range(10)]


def test_pairs_are_scored_once_and_land_where_they_belong(rng):
    scores, pairs = gallery(rng, images=30)
    table = first_stage_table(scores, pairs, 8)
    matrix = rng.normal(size=scores.shape).astype(np.float32)
    for row in rescored(table, pairs, Reranker(matrix)).itertuples():
        own = int(row.query_id.removeprefix("i"))
        other = [int(candidate.removeprefix("i")) for candidate in row.candidates]
        wanted = matrix[other, own] if row.direction == "t2i" else matrix[own, other]
        np.testing.assert_array_equal(row.scores, wanted)
    for model in (Reranker(matrix * np.nan), SimpleNamespace(score_pairs=lambda *_: np.zeros(3))):
        with pytest.raises(ValueError, match="without NaN"):
            rescored(table, pairs, model)
    with pytest.raises(ValueError, match="expected"):
        first_stage_table(scores.T, pairs, 8)


def test_pools_have_suffixes_and_a_perfect_reranker_reaches_the_pool(rng):
    table = first_stage_table(*gallery(rng, noise=1.5), 20)
    table["scores"] = table["relevant"].map(lambda r: np.asarray(r, dtype=np.float32))
    found = {m.name: m.value for m in retrieval_metrics(table, (5, 20))}
    for pool in (5, 20):
        for direction in ("t2i", "i2t"):
            assert found[f"{direction}_r1@pool{pool}"] == found[f"{direction}_in_pool@pool{pool}"]
    assert found["t2i_r10@pool5"] == query_hits(table, "t2i", 10, 10).mean()
    assert found["mean_r1@pool20"] == pytest.approx((found["t2i_r1@pool20"] + found["i2t_r1@pool20"]) / 2)
    with pytest.raises(ValueError, match="needs more"):
        query_hits(table, "t2i", 50, 1)


def test_a_gallery_smaller_than_the_pool(rng):
    table = first_stage_table(*gallery(rng, images=4), 10)
    found = {m.name: m for m in retrieval_metrics(table, (5, 10))}
    assert found["t2i_r5@pool5"].value == 1.0
    assert found["t2i_r10@pool10"].chance == 1.0


def test_a_table_read_back_gives_the_same_metrics(rng, tmp_path):
    table = first_stage_table(*gallery(rng), 10)
    table.to_parquet(tmp_path / "p.parquet")
    assert retrieval_metrics(pd.read_parquet(tmp_path / "p.parquet")) == retrieval_metrics(table)


class Similar:
    """Scores of images named by a number and captions "<image> <copy>", by a fixed table."""

    reranks, kilobytes = True, None

    def __init__(self, images: int, copies: int) -> None:
        rng = np.random.default_rng(3)
        self.first, self.final = rng.normal(size=(2, images, images * copies))
        self.copies = copies

    def place(self, image_ids, texts):
        images = np.array([int(one) for one in image_ids])
        captions = np.array([int(one) * self.copies + int(copy) for one, copy in map(str.split, texts)])
        return images, captions

    def similarity(self, image_ids, texts):
        return self.first[np.ix_(*self.place(image_ids, texts))]

    def score_pairs(self, image_ids, texts, images, captions):
        places, words = self.place(image_ids, texts)
        return self.final[places[images], words[captions]]


def test_galleries_are_ranked_apart_and_counted_together(tmp_path, monkeypatch):
    images, copies, size = 26, 2, 6
    items = [(str(i), "test", f"{i} {c}") for i in range(images) for c in range(copies)]
    dataset = SimpleNamespace(name="d", items=pd.DataFrame(items, columns=["image_id", "split", "caption"]))
    monkeypatch.setattr(CanonicalSet, "open", lambda _: dataset)
    model = Similar(images, copies)
    settings = Settings(kind="retrieval", dataset="d", gallery=size, pools=(3,))
    table = settings.predictions(model, Layout(tmp_path))
    hits = {"t2i": {}, "i2t": {}}
    for begin in (0, 6, 12, 18):  # the last two images fill no gallery
        members = range(begin, begin + size)
        captions = [i * copies + c for i in members for c in range(copies)]
        for caption in captions:
            near = sorted(members, key=lambda i: -model.first[i, caption])[:3]
            best = max(near, key=lambda i: model.final[i, caption])
            hits["t2i"][str(caption)] = best == caption // copies
        for image in members:
            near = sorted(captions, key=lambda c: -model.first[image, c])[:3]
            best = max(near, key=lambda c: model.final[image, c])
            hits["i2t"][str(image)] = best // copies == image
    for direction, wanted in hits.items():
        assert query_hits(table, direction, 3, 1).to_dict() == wanted
    assert table.groupby("direction")["n_gallery"].max().to_dict() == {"t2i": size, "i2t": size * copies}
    whole = Settings(kind="retrieval", dataset="d").predictions(model, Layout(tmp_path))
    one = Settings(kind="retrieval", dataset="d", gallery=images).predictions(model, Layout(tmp_path))
    pd.testing.assert_frame_equal(whole, one)
