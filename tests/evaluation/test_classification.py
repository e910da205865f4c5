"""Choosing among answers, against scikit-learn and plain loops; ties and random logits at chance; through a data set on disk."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, recall_score

import compactvl.evaluation.classification as classification
from compactvl.config.base import validate
from compactvl.config.kinds import BENCHMARK_KINDS, find_kind
from compactvl.config.references import references
from compactvl.data.canonical import ImageRow, write_set
from compactvl.data.vqa_answers import cleaned, normalise
from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, choose
from compactvl.evaluation.classification import classification_metrics, classify
from compactvl.evaluation.results import read_predictions, write_result
from compactvl.records.layout import Layout
from compactvl.records.record import Made

ANSWERS = ["yes", "no", "2", "red", "a dog", "blue"]
TYPES = ("count", "colour", "what")


class Fixed:
    """A model whose logits are given, by item."""

    def __init__(self, items, logits):
        self.rows, self.table = dict(zip(items["item_id"], range(len(items)), strict=True)), np.asarray(logits)
        self.asked = []

    def logits(self, items):
        self.asked.append(len(items))
        return self.table[[self.rows[item] for item in items["item_id"]]]


def items_table(rng, n, **columns):
    splits = np.where(np.arange(n) % 3 == 0, "train", "test")
    base = {"item_id": [f"i{k:04d}" for k in range(n)], "split": splits, "image_id": [f"im{k // 4}" for k in range(n)]}
    return pd.DataFrame(base | {"type": rng.choice(TYPES, n, p=(0.5, 0.3, 0.2))} | columns)


def questions(rng, n=600):
    return items_table(
        rng, n, question="what ?", answer=rng.choice([*ANSWERS, "unknown"], n, p=(0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1))
    )


def annotated(rng, n=600):
    words = [*ANSWERS, "two", "dog", "Blue.", "green"]
    given = [list(rng.choice(words, 10, p=rng.dirichlet(np.full(len(words), 0.2)))) for _ in range(n)]
    return items_table(rng, n, question="what ?", answers=[json.dumps(answers) for answers in given])


def statements(rng, n=600):
    sentence = [f"s{k // 4}" for k in range(n)]
    table = items_table(rng, n, statement="both", label=rng.integers(0, 2, n), sentence_id=sentence)
    table["split"] = np.where(np.arange(n) // 4 % 3 == 0, "train", "test")
    return table.rename(columns={"image_id": "image_0"}).assign(image_1="im0").drop(columns="type")


def hypotheses(rng, n=600):
    return items_table(rng, n, hypothesis="a dog", label=rng.choice(3, n, p=(0.5, 0.3, 0.2))).drop(columns="type")


FORMS = {
    "question": (questions, ANSWERS),
    "annotated": (annotated, ANSWERS),
    "statement": (statements, ["false", "true"]),
    "entailment": (hypotheses, ["contradiction", "entailment", "neutral"]),
}


def measured(form, logits=None, n=600, seed=0, split="test"):
    rng = np.random.default_rng(seed)
    make, answers = FORMS[form]
    items = make(rng, n)
    logits = rng.normal(size=(n, len(answers))) if logits is None else np.full((n, len(answers)), logits)
    predictions = classify(Fixed(items, logits), "set", items, answers, split)
    test = items[items["split"] == split].reset_index(drop=True)
    return test, answers, logits[items["split"] == split], predictions, by_name(predictions)


def by_name(predictions):
    return {metric.name: metric for metric in classification_metrics(predictions)}


@pytest.mark.parametrize("form", ["question", "statement", "entailment"])
def test_accuracy_is_scikit_learns(form):
    items, answers, logits, predictions, metrics = measured(form)
    chosen = [answers[column] for column in logits.argmax(axis=1)]
    right = items["answer"].tolist() if form == "question" else [answers[label] for label in items["label"]]
    assert predictions["prediction"].tolist() == chosen
    assert predictions["target"].tolist() == right
    assert metrics["accuracy"].value == pytest.approx(accuracy_score(right, chosen), abs=1e-12)
    assert metrics["accuracy"].n == len(items) == len(predictions)
    assert metrics["accuracy"].low < metrics["accuracy"].value < metrics["accuracy"].high
    assert metrics["ties"].value == 0
    assert predictions["cluster"].tolist() == items["sentence_id" if form == "statement" else "image_id"].tolist()


def test_groups_and_their_mean():
    items, answers, logits, _, metrics = measured("question")
    chosen = np.array(answers, dtype=object)[logits.argmax(axis=1)]
    shares = {kind: accuracy_score(part["answer"], chosen[part.index]) for kind, part in items.groupby("type")}
    assert {name: m.value for name, m in metrics.items() if "/" in name} == pytest.approx(
        {f"accuracy/{kind}": share for kind, share in shares.items()}
    )
    assert metrics["macro"].value == pytest.approx(np.mean(list(shares.values())), abs=1e-12)
    right = (chosen == items["answer"]).astype(int)
    recall = recall_score(items["type"], np.where(right, items["type"], ""), labels=sorted(TYPES), average="macro")
    assert metrics["macro"].value == pytest.approx(recall, abs=1e-12)


def test_soft_score_is_the_challenges():
    items, answers, logits, predictions, metrics = measured("annotated")
    scores = []
    for row, column in enumerate(logits.argmax(axis=1)):
        given, prediction = json.loads(items["answers"][row]), answers[column]
        form = normalise if len({cleaned(answer) for answer in given}) > 1 else cleaned
        given, prediction = [form(answer) for answer in given], form(prediction)
        subsets = [min(1, sum(answer == prediction for j, answer in enumerate(given) if j != i) / 3) for i in range(10)]
        scores.append(np.mean(subsets))
    np.testing.assert_allclose(predictions["score"], scores, atol=1e-12)
    assert metrics["vqa_score"].value == pytest.approx(np.mean(scores), abs=1e-12)
    assert "accuracy" not in metrics
    assert 0 < np.mean(scores) < 1


def test_consistency_is_a_loop_over_sentences():
    items, _, logits, _, metrics = measured("statement")
    right = {}
    for row, item in items.iterrows():
        right.setdefault(item["sentence_id"], []).append(logits[row].argmax() == item["label"])
    assert {len(part) for part in right.values()} == {4}
    assert metrics["consistency"].value == pytest.approx(np.mean([all(part) for part in right.values()]), abs=1e-12)
    assert metrics["consistency"].n == len(right)
    assert metrics["consistency"].chance == 1 / 16


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("logit", [0.0, -np.inf, 3e38])
def test_equal_logits_are_measured_at_chance(form, logit):
    _, answers, _, _, metrics = measured(form, logit)
    named = [metric for metric in metrics.values() if metric.chance is not None]
    assert len(named) >= 1
    for metric in named:
        assert metric.value == pytest.approx(metric.chance, abs=1e-12), metric
    assert metrics["ties"].value == 1
    if form in ("statement", "entailment"):
        assert metrics["accuracy"].chance == pytest.approx(1 / len(answers))


@pytest.mark.parametrize("form", FORMS)
def test_random_logits_are_near_chance(form):
    _, _, _, _, metrics = measured(form, n=3000, seed=1)
    for metric in metrics.values():
        if metric.chance is not None:
            assert metric.low - 0.02 < metric.chance < metric.high + 0.02, metric


def test_a_tie_counts_as_the_mean_over_random_ways_to_break_it():
    rng = np.random.default_rng(2)
    logits, scores = rng.integers(0, 2, (60, 6)).astype(np.float32), rng.choice([0, 0.3, 0.6, 0.9, 1], (60, 6))
    best, ties, tied = choose(logits, scores)
    assert (ties == (logits == 1).sum(axis=1)).sum() > 50
    assert (logits[np.arange(60), best] == logits.max(axis=1)).all()
    broken = [choose(logits + rng.random(logits.shape) / 2, scores) for _ in range(3000)]
    assert all((number == 1).all() for _, number, _ in broken)
    np.testing.assert_allclose(tied, np.mean([score for *_, score in broken], axis=0), atol=0.04)


@pytest.mark.parametrize("form", FORMS)
def test_order_and_blocks_change_nothing(form, monkeypatch):
    rng = np.random.default_rng(4)
    make, answers = FORMS[form]
    items = make(rng, 600)
    # Few different logits, so that ties occur.
    logits = rng.integers(0, 3, (600, len(answers))).astype(np.float32)
    whole = classify(Fixed(items, logits), "set", items, answers, "test")
    shuffled = items.sample(frac=1, random_state=1).reset_index(drop=True)
    monkeypatch.setattr(classification, "LOGITS_A_BLOCK", 50 * len(answers))
    model = Fixed(items, logits)
    again = classify(model, "set", shuffled, answers, "test")
    assert max(model.asked) - min(model.asked) <= 1
    assert max(model.asked) <= 50
    assert sum(model.asked) == len(whole)
    pd.testing.assert_frame_equal(
        again.sort_values("item_id", ignore_index=True), whole.sort_values("item_id", ignore_index=True)
    )
    values = {name: metric.value for name, metric in by_name(whole).items()}
    assert {name: metric.value for name, metric in by_name(again).items()} == pytest.approx(values, abs=1e-12)
    if form in ("question", "annotated"):  # the list's order neither, where no label counts its places
        order = rng.permutation(len(answers))
        named = [answers[place] for place in order]
        mixed = classify(Fixed(items, logits[:, order]), "set", items, named, "test")
        found = {name: metric.value for name, metric in by_name(mixed).items()}
        assert found == pytest.approx(values, abs=1e-12)


def test_what_is_not_in_the_list_is_wrong_and_counted():
    items, answers, _, predictions, metrics = measured("question")
    outside = (items["answer"] == "unknown").to_numpy()
    assert outside.any()
    assert (predictions["score"][outside] == 0).all()
    assert (predictions["chance"][outside] == 0).all()
    assert metrics["accuracy"].n == len(items)
    assert metrics["accuracy"].chance == pytest.approx((~outside).mean() / len(answers))


def test_majority_is_the_commonest_training_answer():
    rng = np.random.default_rng(0)
    items = questions(rng)
    predictions = classify(Fixed(items, rng.normal(size=(600, 6))), "set", items, ANSWERS, "test")
    metrics, train, test = by_name(predictions), items[items["split"] == "train"], items[items["split"] == "test"]
    dummy = DummyClassifier(strategy="most_frequent").fit(train[["type"]], train["answer"])
    assert metrics["majority"].value == pytest.approx(dummy.score(test[["type"]], test["answer"]), abs=1e-12)
    right = 0
    for kind, part in test.groupby("type"):
        mine = train[(train["type"] == kind) & train["answer"].isin(ANSWERS)]
        right += (part["answer"] == mine["answer"].value_counts().index[0]).sum()
    assert metrics["group_majority"].value == pytest.approx(right / len(test), abs=1e-12)
    untrained = items.assign(split="test")
    assert "majority" not in classify(Fixed(items, rng.normal(size=(600, 6))), "set", untrained, ANSWERS, "test")


def test_wrong_logits_are_refused():
    items, answers, logits, _, _ = measured("question", n=30)
    logits[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        classify(Fixed(items, logits), "set", items, answers, "test")
    with pytest.raises(ValueError, match="expected logits"):
        classify(Fixed(items, logits[:, :5]), "set", items, answers, "test")


def test_bad_items_give_one_clear_line():
    items, answers, logits, _, _ = measured("entailment", n=30)
    model = Fixed(items, logits)
    with pytest.raises(UserError, match=r"'set' has no items of split val; name another split"):
        classify(model, "set", items, answers, "val")
    for label in (-1, 3):
        with pytest.raises(
            UserError, match=rf"item '{items['item_id'][4]}' has label {label}, expected 0 to 2 \(contr"
        ):
            classify(model, "set", items.assign(label=items["label"].where(items.index != 4, label)), answers, "test")
    with pytest.raises(UserError, match="none of the columns answers, answer and label"):
        answer_scores("set", items.drop(columns="label"), answers)


def written(folder, answers, items):
    rows = [ImageRow(image, image.encode(), "test") for image in sorted(set(items["image_id"]))]
    write_set(
        folder,
        "tasks",
        rows,
        items,
        Made("curate", ""),
        settings={},
        **({} if answers is None else {"answers": answers}),
    )


def test_from_a_data_set_to_a_result(tmp_path):
    rng, layout = np.random.default_rng(8), Layout(tmp_path)
    items = annotated(rng, 120)
    written(layout.dataset("tasks"), ANSWERS, items)
    body = {"kind": "classification", "dataset": "tasks", "images": "scenes"}
    benchmark = validate(find_kind(BENCHMARK_KINDS, "classification"), body, "benchmarks.tasks")
    assert [(found.section, found.name) for found in references(benchmark)] == [
        ("datasets", "tasks"), ("datasets", "scenes"),
    ]  # fmt: skip
    model = Fixed(items, rng.normal(size=(120, 6)).astype(np.float32))
    found = benchmark.measure(model, layout)
    folder = tmp_path / "results" / "study" / "variant" / "seed0"
    write_result(folder, "tasks", found.predictions, found.metrics, Made("evaluate", ""), **found.facts)
    assert classification_metrics(read_predictions(folder, "tasks")) == list(found.metrics)
    assert found.metrics[0].name == "vqa_score"


@pytest.mark.parametrize("answers", [None, [], ["yes"], ["yes", "no", "yes"]])
def test_a_data_set_must_list_its_answers(tmp_path, answers):
    layout = Layout(tmp_path)
    items = questions(np.random.default_rng(0), 12)
    written(layout.dataset("tasks"), answers, items)
    benchmark = find_kind(BENCHMARK_KINDS, "classification")(kind="classification", dataset="tasks")
    with pytest.raises(UserError, match=r"'tasks' lists \d different answers in its manifest"):
        benchmark.measure(Fixed(items, np.zeros((12, 2))), layout)


@pytest.mark.parametrize("kind", ["classification", "grounding"])
def test_a_kind_is_read_without_heavy_packages(kind):
    code = (
        f"import sys; from compactvl.config.kinds import *; find_kind(BENCHMARK_KINDS, '{kind}')(kind='{kind}', dataset='a');"
        "print(sorted({'torch', 'pandas', 'numpy', 'scipy', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
