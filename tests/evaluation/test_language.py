"""Language benchmarks against naive loops, hand-computed cases, constant and random scores."""

import json
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from compactvl.errors import UserError
from compactvl.evaluation.benchmarks.gates import Settings as GatesBenchmark
from compactvl.evaluation.benchmarks.language import Settings as LanguageBenchmark
from compactvl.evaluation.language import CONTEXT_AND_TEXT, build_requests, language_metrics
from compactvl.evaluation.language_requests import other_images, spread_evenly
from compactvl.evaluation.language_tasks import LanguageTask
from compactvl.evaluation.winoground import score_items

ALL = ("own", "none", "other")


def pairs(n=60):
    groups = [f"paradigm{i % 3}" if i % 7 else "rare" for i in range(n)]
    texts = {"text_good": [f"good {i}" for i in range(n)], "text_bad": [f"bad {i}" for i in range(n)]}
    return table(n, image_id="", phenomenon=groups, **texts)


def ewok(n=60):
    texts = {f"{part}_{i}": [f"{part} {i} of {k}" for k in range(n)] for part in ("context", "target") for i in (0, 1)}
    return table(n, domain=[f"domain{i % 2}" if i % 5 else "small" for i in range(n)], **texts)


def vqa(n=60):
    distractors = [json.dumps([f"wrong{k}" for k in range(7 if i % 3 else 3)]) for i in range(n)]
    facts = {"type": [("colour", "count", "where")[i % 3] for i in range(n)], "answer": "right"}
    return table(n, image_id=images(n), question="what is it ?", distractors=distractors, **facts)


def swaps(n=60):
    sides = {f"{part}_{i}": [f"{part}{k}-{i}" for k in range(n)] for part in ("image", "caption") for i in (0, 1)}
    return table(n, kind=["count" if i % 4 else "size" for i in range(n)], **sides)


def one_image(n=60):
    captions = {f"caption_{c}": [f"caption {c} of {i}" for i in range(n)] for c in (0, 1)}
    return table(n, image_id=images(n), kind=["count" if i % 4 else "size" for i in range(n)], **captions)


def captions(n=60):
    return table(n, image_id=images(n), caption=["a dog " * (1 + i % 4) + "sits" for i in range(n)])


def images(n):
    return [f"image{i // 3:02d}" for i in range(n)]


def table(n, **columns):
    return pd.DataFrame({"item_id": [f"i{k:03d}" for k in range(n)], "split": "test", **columns})


MAKERS = {
    "minimal_pairs": pairs, "ewok": ewok, "ranked_answers": vqa, "winoground": swaps, "perplexity": captions,
}  # fmt: skip


def task(kind, **settings):
    images = None if kind in ("minimal_pairs", "ewok") else "scenes"
    column = {"text_column": "caption"} if kind == "perplexity" else {}
    return LanguageTask(**{"kind": kind, "dataset": "set", "images": images} | column | settings)


def scored(requests, how="random", seed=0):
    rng = np.random.default_rng(seed)
    # Few different values, so that ties occur.
    score = {"random": -rng.integers(1, 12, len(requests)) / 2, "constant": np.full(len(requests), -3.0)}
    score["distinct"] = -rng.random(len(requests))
    tokens = rng.integers(2, 9, len(requests))
    return requests.drop(columns=CONTEXT_AND_TEXT).assign(log_prob=score[how], tokens=tokens)


def measured(kind, items=None, how="random", conditions=ALL, **settings):
    settings = task(kind, **settings)
    requests = build_requests("task", settings, MAKERS[kind]() if items is None else items, conditions)
    predictions = scored(requests, how)
    return predictions, {metric.name: metric for metric in language_metrics(predictions, {"task": settings})}


def brute_force(kind, predictions, condition):
    """(value, tie, group) by item, in plain Python."""
    items = {}
    for row in predictions[predictions["condition"] == condition].itertuples():
        items.setdefault(row.item_id, {"group": row.group})[row.choice if kind == "ranked_answers" else row.role] = (
            row.log_prob
        )
    found = []
    for p in items.values():
        group = p.pop("group")
        if kind == "ranked_answers":
            best, second = sorted(p.values())[:-3:-1]
            found.append((float(all(p[0] > p[k] for k in p if k)), float(best == second), group))
            continue
        compared = {
            "minimal_pairs": [("good", "bad")],
            "ewok": [("c0t0", "c0t1"), ("c1t1", "c1t0")],
            "winoground": [("s00", "s10"), ("s11", "s01")] if "s11" in p else [("s00", "s10")],
        }[kind]
        value = sum(p[a] > p[b] for a, b in compared) / len(compared)
        found.append((value, sum(p[a] == p[b] for a, b in compared) / len(compared), group))
    return found


@pytest.mark.parametrize("kind", ["minimal_pairs", "ewok", "ranked_answers", "winoground"])
def test_equal_to_a_loop(kind):
    predictions, found = measured(kind)
    names = {"own": "task", "none": "task_no_image", "other": "task_other_image"}
    if task(kind).images is None:
        names = {"none": "task"}
    assert set(predictions["condition"]) == set(names)
    for condition, name in names.items():
        oracle = brute_force(kind, predictions, condition)
        groups = sorted({group for *_, group in oracle})
        by_group = {g: np.mean([value for value, _, group in oracle if group == g]) for g in groups}
        macro = kind in ("minimal_pairs", "ewok")
        expected = np.mean(list(by_group.values())) if macro else np.mean([value for value, *_ in oracle])
        assert found[name].value == pytest.approx(expected, abs=1e-12)
        assert found[name].low <= expected <= found[name].high
        if name == "task":
            assert found["task_ties"].value == pytest.approx(np.mean([tie for _, tie, _ in oracle]))
            assert found["task_ties"].value > 0
            assert {name[5:] for name in found if name.startswith("task/")} == set(groups)
            for group, value in by_group.items():
                assert found[f"task/{group}"].value == pytest.approx(value)
    # Reversing the table changes nothing.
    again = language_metrics(predictions.iloc[::-1], {"task": task(kind)})
    assert {m.name: m.value for m in again} == {name: m.value for name, m in found.items()}


@pytest.mark.parametrize("kind", ["minimal_pairs", "ewok", "ranked_answers", "winoground"])
def test_constant_scores_are_never_right(kind):
    _, found = measured(kind, how="constant")
    for name, metric in found.items():
        assert (metric.value, metric.low, metric.high) == ((1, 1, 1) if name == "task_ties" else (0, 0, 0)), name


@pytest.mark.parametrize("kind", ["minimal_pairs", "ewok", "ranked_answers", "winoground"])
def test_random_scores_are_at_chance(kind):
    _, found = measured(kind, MAKERS[kind](900), how="distinct")
    for name, metric in found.items():
        if name == "task_ties":
            assert metric.value == 0
        elif name != "task_no_image":
            assert metric.low - 0.02 < metric.chance < metric.high + 0.02, name
    assert found["task"].chance == pytest.approx((2 / 8 + 1 / 4) / 3 if kind == "ranked_answers" else 1 / 2)


def test_winoground_is_also_scored_officially():
    predictions, found = measured("winoground")
    wide = predictions[predictions["condition"] == "own"].pivot(index="item_id", columns="role", values="log_prob")
    official = score_items(wide).mean()
    assert [found[f"task_{name}"].value for name in official.index] == pytest.approx(list(official))
    assert [found[f"task_{name}"].chance for name in official.index] == [1 / 4, 1 / 4, 1 / 6]
    predictions, found = measured("winoground", one_image())
    assert set(predictions["role"]) == {"s00", "s10"}
    assert predictions.groupby("cluster")["item_id"].nunique().eq(3).all()
    assert "task_text" not in found
    oracle = brute_force("winoground", predictions, "own")
    assert found["task"].value == pytest.approx(np.mean([value for value, *_ in oracle]))


def test_perplexity_of_tokens_and_words():
    predictions, found = measured("perplexity")
    for condition, name in {"own": "task", "none": "task_no_image", "other": "task_other_image"}.items():
        loss = tokens = words = 0
        for row in predictions[predictions["condition"] == condition].itertuples():
            loss, tokens, words = loss - row.log_prob, tokens + row.tokens, words + row.words
        assert found[name].value == pytest.approx(math.exp(loss / tokens))
        assert found[name].low < found[name].value < found[name].high
        assert (found[name].n, found[name].chance, found[name].higher_is_better) == (60, None, False)
        if name == "task":
            assert found["task_per_word"].value == pytest.approx(math.exp(loss / words))
    # "a dog sits" and the text's end.
    assert predictions["words"].iloc[0] == 4
    assert set(found) == {"task", "task_per_word", "task_no_image", "task_other_image"}


def test_a_hand_computed_case():
    items = pairs(4).assign(phenomenon=["a", "a", "a", "b"])
    requests = build_requests("p", task("minimal_pairs"), items, ALL)
    assert requests["continuation"].tolist()[:4] == ["good 0", "bad 0", "good 1", "bad 1"]
    assert requests.columns.tolist() == [
        "task", "kind", "condition", "item_id", "cluster", "group", "choice", "role", "context", "continuation", "ends",
        "image_id", "words",
    ]  # fmt: skip
    assert not requests["ends"].any()
    predictions = requests.assign(log_prob=[-1, -2, -3, -3, -5, -4, -1, -9], tokens=2)
    metrics = {m.name: m for m in language_metrics(predictions, {"p": task("minimal_pairs")})}
    assert metrics["p"].value == pytest.approx((1 / 3 + 1) / 2)
    assert metrics["p_ties"].value == 1 / 4
    assert (metrics["p/b"].value, metrics["p/b"].n) == (1, 1)
    with pytest.raises(ValueError, match="NaN"):
        language_metrics(predictions.assign(log_prob=np.nan), {"p": task("minimal_pairs")})
    with pytest.raises(ValueError, match="lacks one of"):
        language_metrics(predictions.iloc[1:], {"p": task("minimal_pairs")})
    with pytest.raises(ValueError, match="no predictions"):
        language_metrics(predictions, {"q": task("minimal_pairs")})


def test_texts_of_the_requests():
    settings = task("ranked_answers", prompt="Question: {question} Answer:")
    first = build_requests("vqa", settings, vqa(3), ["own"])
    assert first["context"].unique().tolist() == ["Question: what is it ? Answer:"]
    assert first["continuation"].tolist()[:4] == [" right", " wrong0", " wrong1", " wrong2"]
    assert first["choice"].tolist() == [*range(4), *range(8), *range(8)]
    both = build_requests("e", task("ewok"), ewok(1), ALL)
    assert both["role"].tolist() == ["c0t0", "c0t1", "c1t0", "c1t1"]
    assert both.loc[1, ["context", "continuation"]].tolist() == ["context 0 of 0", " target 1 of 0"]
    lines = build_requests("t", task("perplexity", images=None), captions(2), ALL)
    assert (lines["condition"].tolist(), lines["ends"].all()) == (["none"] * 2, True)
    probe = vqa(4).rename(columns={"question": "prompt"}).assign(condition=["necessary", "useful"] * 2)
    asked = build_requests("probe", task("ranked_answers"), probe, ["own"])
    assert set(asked["group"]) == {"necessary", "useful"}
    assert asked["context"].iloc[0] == "what is it ?"


def test_the_other_image_is_never_the_own():
    items = swaps(7)
    requests = build_requests("w", task("winoground"), items, ALL)
    own, none, other = (requests[requests["condition"] == name].reset_index(drop=True) for name in ALL)
    assert (none["image_id"] == "").all()
    assert own["image_id"].tolist()[:4] == ["image0-0", "image0-1"] * 2
    mapping = dict(zip(own["image_id"], other["image_id"], strict=True))
    assert sorted(mapping) == sorted(mapping.values())
    assert all(a.split("-")[0] != b.split("-")[0] for a, b in mapping.items())
    assert other_images(np.array([["b"], ["a"], ["c"]])) == {"a": "b", "b": "c", "c": "a"}
    with pytest.raises(UserError, match="at least two different images"):
        build_requests("v", task("ranked_answers"), vqa(3), ALL)


def test_a_subset_is_spread_over_the_groups():
    groups = np.repeat(["a", "b", "c"], [100, 50, 50])[np.random.default_rng(0).permutation(200)]
    chosen = spread_evenly(groups, 20)
    assert pd.Series(groups[chosen]).value_counts().to_dict() == {"a": 10, "b": 5, "c": 5}
    assert (np.diff(chosen) > 0).all()
    assert chosen.max() > 150 > 50 > chosen.min()
    fifths = spread_evenly([""] * 500, 100) % 5
    assert np.bincount(fifths).min() >= 19
    assert all(len(set(spread_evenly([""] * 100, number))) == number for number in range(1, 100))
    tracemalloc.start()
    assert spread_evenly(["a" * 10_000] + ["b"] * 1000, 1).tolist() == [0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20, "one long name makes no wide array"
    assert spread_evenly(groups, None).tolist() == spread_evenly(groups, 500).tolist() == list(range(200))
    some = build_requests("v", task("ranked_answers", max_items=9), vqa(), ["own"])
    assert some.groupby("group")["item_id"].nunique().tolist() == [3, 3, 3]


def test_bad_items_are_named():
    with pytest.raises(UserError, match=r"task q: data set set lacks the column\(s\) answer, distractors"):
        build_requests("q", task("ranked_answers"), vqa().drop(columns=["answer", "distractors"]), ALL)
    bad = vqa(4)
    bad.loc[2, "distractors"] = "wrong"
    with pytest.raises(UserError, match=r"item i002 .*JSON list"):
        build_requests("q", task("ranked_answers"), bad, ALL)
    with pytest.raises(UserError, match="item i000 of data set set names no image"):
        build_requests("q", task("ranked_answers"), vqa().assign(image_id=""), ALL)
    with pytest.raises(UserError, match="no items of split val"):
        build_requests("q", task("ranked_answers", split="val"), vqa(), ALL)


def test_settings():
    tasks = {"vqa": {"kind": "ranked_answers", "dataset": "scene_vqa", "images": "scenes"}}
    settings = LanguageBenchmark(kind="language", tasks=tasks)
    assert (settings.datasets, settings.conditions) == (("scene_vqa", "scenes"), ALL)
    for change, message in [
        ({"tasks": {}}, "at least 1"),
        ({"conditions": ("none",)}, "must include own"),
        ({"conditions": ("own", "own")}, "different"),
        ({"tasks": tasks | {"vqa_ties": tasks["vqa"]}}, "choose another"),
        ({"tasks": {"vqa": tasks["vqa"] | {"prompt": "what"}}}, "must contain {question}"),
    ]:
        with pytest.raises(ValidationError, match=message):
            LanguageBenchmark(**{"kind": "language", "tasks": tasks} | change)
    gates = GatesBenchmark(kind="gates", dataset="scenes", probe="scene_probe", images="scenes")
    assert gates.datasets == ("scene_probe", "scenes")
    with pytest.raises(ValidationError, match="belong together"):
        GatesBenchmark(kind="gates", dataset="scenes", probe="scene_probe")
