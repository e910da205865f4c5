"""VQAv2, in the form it is distributed in, split and with the list of answers of DiDE's release."""

import json
import re

import numpy as np
import pytest
from curating import is_made, make
from photographed import photo

from compactvl.data.vqa_answers import normalise
from compactvl.data.vqa_targets import target_scores
from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, answers_of

PARTS = ("train2014", "val2014")
QUESTIONS = {
    # image → the majority's answer and the ten annotators' of each of its questions
    "train2014": {9: [("yes", "yes*10"), ("Two", "2*5 two*5")], 25: [("no", "no*9 yes*1"), ("seven eels", "seven eels*10")]},
    "val2014": {
        42: [("Yes.", "yes*3 no*7")],
        73: [("no", "no*4 No*2 yes*4")],
        74: [("two", "2*1 two*9"), ("a zebra", "a zebra*10")],
        133: [("yes", "yes*2 no*1 maybe*7")],
        200: [("unheard of", "unheard of*10"), ("no", "no*10")],
    },
}  # fmt: skip


def ten(text):
    """Spell out what the annotators gave: "2*5 two*5"."""
    return [answer for answer, count in re.findall(r"(\S.*?)\*(\d+)", text) for _ in range(int(count))]


def bodies(part):
    questions, annotations = [], []
    for image, asked in QUESTIONS[part].items():
        for place, (majority, given) in enumerate(asked):
            ids = {"image_id": image, "question_id": 1000 * image + place}
            questions.append(ids | {"question": f"What  is {place}?"})
            answers = [
                {"answer": one, "answer_confidence": "yes", "answer_id": i} for i, one in enumerate(ten(given), start=1)
            ]
            kind = "yes/no" if majority.lower().strip(".") in ("yes", "no") else "other"
            annotations.append(
                ids
                | {
                    "question_type": "what is",
                    "multiple_choice_answer": majority,
                    "answers": answers,
                    "answer_type": kind,
                }
            )
    head = {"info": {"version": "2.0"}, "license": {}, "data_subtype": part, "data_type": "mscoco"}
    return head | {"task_type": "Open-Ended", "questions": questions}, head | {"annotations": annotations}


def files(root, part):
    return root / f"v2_OpenEnded_mscoco_{part}_questions.json", root / f"v2_mscoco_{part}_annotations.json"


@pytest.fixture
def root(tmp_path):
    seeds = iter(range(100))
    for part in PARTS:
        for path, body in zip(files(tmp_path, part), bodies(part), strict=True):
            path.write_text(json.dumps(body))
        for image in QUESTIONS[part]:
            photo(tmp_path / "coco" / part / f"COCO_{part}_{image:012d}.jpg", next(seeds))
    photo(tmp_path / "coco" / "val2014" / "COCO_val2014_000000000001.jpg", 99)
    return tmp_path


def curate(root, **changes):
    body = {
        "kind": "vqav2",
        "images": str(root / "coco"),
        "questions": {part: str(files(root, part)[0]) for part in PARTS},
        "annotations": {part: str(files(root, part)[1]) for part in PARTS},
        "heldout": {"val": 1, "test": 2},
        "min_count": 2,
        "how_to_get": "Get it THERE.",
    }
    return make(root / "out", "questions", body | changes)


def test_vqav2(root):
    done = curate(root)
    assert list(done.items) == ["item_id", "image_id", "split", "question", "answer", "answers", "type"]
    first = done.items.iloc[1]
    assert first.tolist() == [
        "9001", "COCO_train2014_000000000009.jpg", "train", "What is 1?", "Two", json.dumps(["2"] * 5 + ["two"] * 5), "other",
    ]  # fmt: skip
    assert done.manifest["settings"] == {
        "kind": "vqav2", "heldout": {"val": 1, "test": 2}, "min_count": 2, "max_side": None, "jpeg_quality": 95,
    }  # fmt: skip


def test_the_last_images_of_val_are_held_out(root):
    """By COCO's number, whatever the order of the file; the rest of val is training data."""
    items = curate(root).items
    images = {split: sorted({int(name[-16:-4]) for name in own}) for split, own in items.groupby("split")["image_id"]}
    assert images == {"train": [9, 25, 42, 73], "test": [74, 133], "val": [200]}
    as_released = curate(root, heldout={"val": 1, "test": 0}).items
    assert set(as_released["split"]) == {"train", "val"}
    assert sorted(as_released[as_released["split"] == "val"]["item_id"]) == ["200000", "200001"]
    with pytest.raises(
        UserError, match=r"datasets\.questions\.heldout: 4 \+ 2 photographs asked for, .*has fewer; ask for"
    ):
        curate(root, heldout={"val": 4, "test": 2})


def test_answers_are_the_majoritys_of_both_parts_in_normal_form(root):
    counts = {}
    for part in PARTS:
        for asked in QUESTIONS[part].values():
            for majority, _ in asked:
                counts[normalise(majority)] = counts.get(normalise(majority), 0) + 1
    assert counts == {"yes": 3, "2": 2, "no": 3, "7 eels": 1, "zebra": 1, "unheard of": 1}
    for least in (2, 3):
        done = curate(root, min_count=least)
        assert answers_of(done) == [answer for answer, count in counts.items() if count >= least]
    with pytest.raises(
        UserError, match=r"min_count: 0 answers are the majority's of 9 questions or more; ask for fewer"
    ):
        curate(root, min_count=9)


def test_training_questions_without_a_known_answer_are_dropped_and_counted(root):
    done = curate(root)
    assert done.manifest["dropped"] == {"train": 1}
    assert "25001" not in set(done.items["item_id"])
    assert {"74001", "200000"} <= set(done.items["item_id"]), "held-out ones stay, whatever their answer"


def test_an_image_without_items_is_not_read(root):
    """All its questions are dropped: the photograph need not be there."""
    (root / "coco" / "val2014" / "COCO_val2014_000000000042.jpg").unlink()
    with pytest.raises(
        UserError, match=r"1 of 7 images are missing below .*coco .*first is val2014/COCO_val2014_0+42\.jpg, w"
    ):
        curate(root)
    change(root, "val2014", 1, lambda entries: entries[0].update(answers=[{"answer": "unheard"}] * 10))
    done = curate(root)
    assert len(done) == 6
    assert done.manifest["dropped"] == {"train": 2}


def test_soft_scores_are_those_of_a_loop(root):
    """Official scores: over ten annotators' answers in normal form, the mean of min(1, others who agree / 3)."""
    done = curate(root)
    answers = answers_of(done)
    expected = np.zeros((len(done.items), len(answers)))
    for row, given in enumerate(done.items["answers"]):
        given = json.loads(given)
        form = normalise if len(set(given)) > 1 else str
        for column, answer in enumerate(answers):
            for left_out in range(10):
                others = given[:left_out] + given[left_out + 1 :]
                expected[row, column] += min(1, sum(form(one) == answer for one in others) / 3) / 10
    np.testing.assert_allclose(answer_scores("x", done.items, answers).toarray(), expected, atol=1e-12)
    for split, majority in done.manifest["majority"].items():
        means = expected[done.items["split"] == split].mean(axis=0)
        assert majority == {"answer": answers[means.argmax()], "score": round(means.max(), 4)}


def test_targets_are_the_releases(root):
    """It compares answers as they are written; .3, .6, .9, 1."""
    table = {1: 0.3, 2: 0.6, 3: 0.9}
    places = {answer: place for place, answer in enumerate(answers_of(curate(root)))}
    for given in ("2*5 two*5", "no*4 No*2 yes*4", "yes*2 no*1 maybe*7", "yes*3 no*7", "a zebra*10"):
        given = ten(given)
        expected = {places[one]: table.get(given.count(one), 1.0) for one in given if one in places}
        assert target_scores(given, places) == pytest.approx(expected)


def change(root, part, which, edit, field=None):
    """Edit the entries of a questions file (0) or annotations file (1), or the whole of it."""
    path = files(root, part)[which]
    body = json.loads(path.read_text())
    edit(body if field == "all" else body[("questions", "annotations")[which]])
    path.write_text(json.dumps(body))


@pytest.mark.parametrize(
    ("which", "edit", "message"),
    [
        (
            1,
            lambda e: e.pop(1),
            r"val2014_questions\.json questions\[1\]: question 73000 is not in .*annotations\.json \(1 of t",
        ),
        (
            0,
            lambda e: e.pop(1),
            r"val2014_annotations\.json annotations\[1\]: question 73000 is not in .*questions\.json \(1 of",
        ),
        (
            0,
            lambda e: e.append(e[0]),
            r"questions\[7\]: question 42000 occurs twice \(also questions\[0\]\); correct it",
        ),
        (1, lambda e: e.append(e[0]), r"annotations\[7\]: question 42000 occurs twice \(also annotations\[0\]\)"),
        (
            0,
            lambda e: e[1].pop("question"),
            r"questions\[1\]: 'question' is missing; correct it there, or get the file",
        ),
        (0, lambda e: e[1].update(question_id="x"), r"questions\[1\]: 'question_id' is 'x', no number"),
        (0, lambda e: e.insert(0, 5), r"questions\[0\]: 'question_id' is missing"),
        (
            1,
            lambda e: e[1].update(image_id=5),
            r"annotations\[1\]: question 73000 is about image 5, but .*says 73; corr",
        ),
        (
            1,
            lambda e: e[1]["answers"].pop(),
            r"annotations\[1\]: 'answers' is no list of 10 annotators' answers; correct",
        ),
        (1, lambda e: e[1].update(answers=None), r"annotations\[1\]: 'answers' is no list of 10 annotators' answers"),
        (1, lambda e: e[1]["answers"][0].update(answer=3), r"annotations\[1\]: 'answers' is no list of 10"),
        (
            1,
            lambda e: e[1].pop("multiple_choice_answer"),
            r"annotations\[1\]: 'multiple_choice_answer' is None, no text",
        ),
        (1, lambda e: e[1].pop("answer_type"), r"annotations\[1\]: 'answer_type' is missing"),
        (
            0,
            lambda e: e.clear(),
            r"questions\.json has no list 'questions'; give the questions file of VQAv2's val2014",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(root, which, edit, message):
    change(root, "val2014", which, edit)
    with pytest.raises(UserError, match=message) as caught:
        curate(root)
    assert "\n" not in str(caught.value)
    assert not is_made(root)


def test_a_question_that_is_in_two_splits(root):
    for which in (0, 1):
        change(root, "val2014", which, lambda entries: entries[-1].update(question_id=9000))
    with pytest.raises(
        UserError, match=r"val2014_questions\.json questions\[6\]: item '9000' is in split train and in split v"
    ):
        curate(root)


def test_files_that_are_not_what_they_should_be(root):
    asked, annotated = files(root, "val2014")
    change(root, "val2014", 0, lambda body: body.update(data_subtype=None), "all")
    curate(root)
    change(root, "val2014", 0, lambda body: body.update(data_subtype="train2014"), "all")
    with pytest.raises(
        UserError, match=r"questions\.json is of train2014, not of val2014; give each part its own file"
    ):
        curate(root)
    asked.write_text('{"questions": [\n{"question_id": }')
    with pytest.raises(UserError, match=r"questions\.json line 2 column 17 is not JSON"):
        curate(root)
    annotated.unlink()
    with pytest.raises(
        UserError, match=rf"^datasets\.questions\.annotations\.val2014: {annotated} is missing: Get it THERE"
    ):
        curate(root)
