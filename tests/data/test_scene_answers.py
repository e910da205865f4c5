"""Tasks with answers made of scenes: open questions, statements about two images, hypotheses."""

import json
import re
from collections import Counter

import numpy as np
import pytest
from curating import make

from compactvl.data.canonical import CanonicalSet
from compactvl.data.inflection import plural
from compactvl.data.things import KIND_OF
from compactvl.data.vqa_answers import normalise, soft_scores
from compactvl.errors import UserError
from compactvl.evaluation.answers import answers_of
from compactvl.evaluation.classification import classification_metrics, classify

SCENES = {"kind": "scenes", "concepts": 36, "images": {"train": 300, "val": 80, "test": 80}}
QUESTIONS = {"train": 1200, "val": 120, "test": 160}
MADE = {
    "qa": {"kind": "scene_qa", "scenes": "many", "questions": QUESTIONS, "least": 3},
    "pairs": {"kind": "scene_pairs", "scenes": "many", "statements": {"train": 140, "val": 21, "test": 28}},
    "entail": {"kind": "scene_entail", "scenes": "many", "hypotheses": {"train": 120, "val": 20, "test": 30}},
}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
SIDES = {"left": (0, 1), "right": (0, -1), "above": (1, 1), "over": (1, 1), "higher": (1, 1),
         "below": (1, -1), "under": (1, -1), "beneath": (1, -1), "lower": (1, -1)}  # fmt: skip


@pytest.fixture(scope="module")
def many(make_set, root) -> CanonicalSet:
    return make_set(root, "many", SCENES)


@pytest.fixture(scope="module")
def tasks(many, root) -> dict[str, CanonicalSet]:
    return {name: make(root, name, settings) for name, settings in MADE.items()}


@pytest.fixture(scope="module")
def metas(many) -> dict[str, list[dict]]:
    return {row.image_id: json.loads(row.meta)["objects"] for row in many.images.itertuples()}


@pytest.fixture(scope="module")
def singular(many) -> dict[str, str]:
    return {form: concept for concept in many.manifest["concepts"] for form in (concept, plural(concept))}


def counted(objects: list[dict]) -> Counter:
    return Counter({thing["concept"]: thing["count"] for thing in objects})


@pytest.mark.parametrize("name", MADE)
def test_items_keep_the_split_of_their_scenes_and_follow_the_seed(tasks, many, root, name):
    items, manifest = tasks[name].items, tasks[name].manifest
    splits = dict(zip(many.images["image_id"], many.images["split"], strict=True))
    for column in {"image_id", "image_0", "image_1"} & set(items.columns):
        assert (items[column].map(splits) == items["split"]).all()
    assert (manifest["images_of"], len(tasks[name])) == ("many", 0)
    assert set(items["split"]) == {"train", "val", "test"}
    assert manifest["types"] == {s: dict(Counter(own["type"])) for s, own in items.groupby("split")}
    for seed, same in ((0, True), (1, False)):
        other = make(root, f"{name}_{seed}", MADE[name] | {"seed": seed})
        assert (other.manifest["files"] == manifest["files"]) is same


@pytest.mark.parametrize("name", MADE)
def test_a_benchmark_reads_them_and_equal_logits_are_chance(tasks, name):
    class Undecided:
        def logits(self, items):
            return np.zeros((len(items), len(answers)))

    answers = answers_of(tasks[name])
    predictions = classify(Undecided(), name, tasks[name].items, answers, "test")
    metrics = {metric.name: metric for metric in classification_metrics(predictions)}
    first = metrics["vqa_score" if name == "qa" else "accuracy"]
    assert first.value == pytest.approx(first.chance)
    assert ("consistency" in metrics) is (name == "pairs")
    if name != "qa":
        assert first.value == pytest.approx(1 / len(answers))


def test_too_many_and_wrong_sets_are_one_clear_line(tasks, make_set, root):
    for name, field, number in (("qa", "questions", 500), ("entail", "hypotheses", 5000)):
        with pytest.raises(UserError, match=rf"^datasets\.x\.{field}\.val: {number} val .*, the scenes give \d+; ask"):
            make(root, "x", MADE[name] | {field: {"train": 60, "val": number, "test": 1}})
        with pytest.raises(UserError, match=r"datasets\.x\.scenes: 'qa' is not a data set of kind scenes"):
            make(root, "x", MADE[name] | {"scenes": "qa"})
    make_set(root, "tiny", SCENES | {"concepts": 4, "images": {"train": 4, "val": 1, "test": 1}})
    with pytest.raises(UserError, match=r"^datasets\.x\.statements\.val: 21 val statements .*, the scenes give 0;"):
        make(root, "x", MADE["pairs"] | {"scenes": "tiny"})
    with pytest.raises(UserError, match=r"^datasets\.x\.least: 0 answers are right for 5000 .*; lower it"):
        make(root, "x", MADE["qa"] | {"least": 5000})
    with pytest.raises(UserError, match=r"^datasets\.x\.mix: the shares must sum to 1, not 1\.7"):
        make(root, "x", MADE["qa"] | {"mix": {"count": 0.95}})


# Open questions


def answer_to(question: str, objects: list[dict], singular: dict[str, str]) -> str:
    """Answer a question by the boxes alone."""
    words, counts = question.removesuffix(" ?").split(), counted(objects)
    named = [singular[word] for word in words if word in singular]
    if words[0] in ("is", "do"):
        return "yes" if named[0] in counts else "no"
    if words[:2] == ["how", "many"]:
        return str(counts[named[0]])
    if words[0] == "which":
        side = {thing["concept"]: max(box[2] - box[0] for box in thing["boxes"]) for thing in objects}
        return max(named, key=side.get)
    found = [thing["concept"] for thing in objects]
    if named:
        axis, sign = next(SIDES[word] for word in words if word in SIDES)
        known = next(thing for thing in objects if thing["concept"] == named[0])
        middle = {thing["concept"]: np.mean([[b[axis], b[axis + 2]] for b in thing["boxes"]]) for thing in objects}
        found = [one for one in found if sign * (middle[named[0]] - middle[one]) > 0]
        there = next(thing for thing in objects if thing["concept"] == found[0])
        first, second = (there, known) if sign > 0 else (known, there)
        assert max(b[axis + 2] for b in first["boxes"]) <= min(b[axis] for b in second["boxes"])
    assert len(found) == 1
    return KIND_OF[found[0]] if words[:3] == ["what", "kind", "of"] else found[0]


def test_every_answer_is_what_the_scene_shows(tasks, metas, singular):
    items = tasks["qa"].items
    assert set(items["type"]) == {"existence", "count", "what", "relation_two", "relation_three", "bigger"}
    for item in items.itertuples():
        assert answer_to(item.question, metas[item.image_id], singular) == item.answer, item
        if item.type.startswith("relation"):
            assert len(metas[item.image_id]) == {"relation_two": 2, "relation_three": 3}[item.type]
    assert not items.duplicated(["image_id", "question"]).any()


def test_questions_are_even_over_images_and_answers(tasks, singular):
    items = tasks["qa"].items
    for split, each in (("train", 4), ("val", 2), ("test", 3)):
        own = items[items["split"] == split]
        assert len(own) == QUESTIONS[split]
        assert set(own["image_id"].value_counts()[:-1]) == {each}
    train = items[items["split"] == "train"]
    share = train["type"].value_counts(normalize=True)
    for kind, wanted in {"existence": 0.3, "count": 0.25, "what": 0.15, "relation_two": 0.1, "bigger": 0.1}.items():
        assert share[kind] == pytest.approx(wanted, abs=0.06)
    asked = train[train["type"] == "existence"]
    named = asked["question"].map(lambda text: next(singular[word] for word in text.split() if word in singular))
    by_concept = asked.groupby([named, "answer"]).size().unstack(fill_value=0)
    assert len(by_concept) == 36
    assert (abs(by_concept["yes"] - by_concept["no"]) <= 3).all()
    bigger = train[train["type"] == "bigger"]
    first = [item.question.split()[5] == item.answer for item in bigger.itertuples()]
    assert np.mean(first) == pytest.approx(0.5, abs=0.03)


def test_texts_alone_gain_little(tasks):
    """Nothing beyond what luck gives: three and a half standard deviations above chance."""
    kinds = ("existence", "count", "bigger", "what", "relation_two", "relation_three")
    chances = dict(zip(kinds, (1 / 2, 1 / 3, 1 / 2, 0.3, 0.1, 0.1), strict=True))
    for split in ("val", "test"):
        blind, sizes = (tasks["qa"].manifest[fact][split] for fact in ("blind", "types"))
        assert blind.keys() == chances.keys() | {"all"}
        for kind, chance in chances.items():
            assert blind[kind] < chance + 3.5 * (chance * (1 - chance) / sizes[kind]) ** 0.5, (split, kind)
    for name, even in (("pairs", 0.5), ("entail", 0.3333)):
        assert {score for by_type in tasks[name].manifest["blind"].values() for score in by_type.values()} == {even}
        assert {score for by_type in tasks[name].manifest["majority"].values() for score in by_type.values()} == {even}


def test_the_vocabulary_is_of_training_answers_by_frequency(tasks):
    items, answers = tasks["qa"].items, tasks["qa"].manifest["answers"]
    counts = Counter(items["answer"][items["split"] == "train"])
    assert answers == sorted((one for one in counts if counts[one] >= 3), key=lambda one: (-counts[one], one))
    assert {"yes", "no", "1", "2", "3", "animal", "food"} <= set(answers)
    assert [normalise(answer) for answer in answers] == answers


def test_annotators_agree_on_the_right_answer_and_some_differ(tasks):
    items = tasks["qa"].items
    differing: dict[str, list[float]] = {}
    for item in items.itertuples():
        given = json.loads(item.answers)
        scores, _ = soft_scores(given)
        assert len(given) == 10
        assert Counter(given).most_common(1)[0][0] == item.answer
        assert scores[normalise(item.answer)] == 1
        differing.setdefault(item.type, []).append(len(set(given)) > 1)
    assert {kind: np.mean(some) for kind, some in differing.items()} == {
        "existence": pytest.approx(0.18, abs=0.05), "count": pytest.approx(0.4, abs=0.12),
        "what": pytest.approx(0.8, abs=0.1), "relation_two": pytest.approx(0.75, abs=0.2),
        "relation_three": pytest.approx(0.75, abs=0.2), "bigger": pytest.approx(0.5, abs=0.2),
    }  # fmt: skip


# Statements and hypotheses


def is_true(statement: str, left: Counter, right: Counter, singular: dict[str, str]) -> bool:
    words = statement.split()
    named = [singular[word] for word in words if word in singular]
    number = next((NUMBERS[word] for word in words if word in NUMBERS and words.index(word) < 3), None)
    if "objects" in words or "than" in words:
        sides = [sum(one.values()) if "objects" in words else one[named[0]] for one in (left, right)]
        mine, other = sides if re.search(r"left (image )?(has|than)|left image than", statement) else sides[::-1]
        return mine > other if "more" in words else mine < other
    if "exactly" in words:
        return [one[named[0]] for one in (left, right)].count(number) == 1
    if "total" in words or "together" in words:
        return left[named[0]] + right[named[0]] == number
    if "both" in words:
        return min(left[named[0]], right[named[0]]) > 0
    if words[0] == "only":
        has = [one[named[0]] > 0 for one in (left, right)]
        return has == ([True, False] if words[2] == "left" else [False, True])
    a, b = named
    return bool((left[a] and right[b]) or (left[b] and right[a]))


def test_a_statement_is_true_of_two_of_its_four_pairs(tasks, metas, singular):
    items = tasks["pairs"].items
    assert len(set(items["type"])) == 7
    for _, own in items.groupby("sentence_id"):
        assert sorted(own["label"]) == [0, 0, 1, 1]
        assert len(set(own["statement"])) == len(set(own["split"])) == 1
        assert not own.duplicated(["image_0", "image_1"]).any()
    for item in items.itertuples():
        left, right = (counted(metas[one]) for one in (item.image_0, item.image_1))
        assert item.image_0 != item.image_1
        assert is_true(item.statement, left, right, singular) == item.label, item
    assert tasks["pairs"].manifest["answers"] == ["false", "true"]


def test_a_hypothesis_has_an_image_of_each_label(tasks, metas, singular):
    items = tasks["entail"].items
    for item in items.itertuples():
        counts, words = counted(metas[item.image_id]), item.hypothesis.split()
        named = [(words[i - 1], singular[word]) for i, word in enumerate(words) if word in singular]
        seen = [counts[one] == NUMBERS[how] if how in NUMBERS else counts[one] > 0 for how, one in named]
        assert len(seen) == 2
        assert item.label == {0: 0, 1: 2, 2: 1}[sum(seen)], item
    labels = items.groupby(items["item_id"].str.rpartition("-")[0])[["label", "hypothesis"]].agg(list)
    assert all(sorted(own) == [0, 1, 2] for own in labels["label"])
    assert all(len(set(own)) == 1 for own in labels["hypothesis"])
    numbers = items[(items["type"] == "numbers") & (items["label"] == 0)]
    near = [
        any(singular.get(word) in counted(metas[item.image_id]) for word in item.hypothesis.split())
        for item in numbers.itertuples()
    ]
    assert np.mean(near) > 0.4
