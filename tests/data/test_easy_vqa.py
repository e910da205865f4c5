"""easy-VQA from its package, and what can be told from texts alone."""

import io
import json
import zipfile
from collections import Counter

import pandas as pd
import pytest
from curating import is_made, make
from PIL import Image

from compactvl.data.blind import Blind, blind_scores
from compactvl.errors import UserError

DATA = "easy_vqa/data"


def png(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (shade, 0, 255 - shade)).save(buffer, "PNG")
    return buffer.getvalue()


def package(path, **changes):
    """A package with 60 training and 20 test images, each with two questions."""
    parts = {"train": range(60), "test": range(20)}
    members = {f"{DATA}/answers.txt": "red\ncircle\nyes\nno"}
    for part, numbers in parts.items():
        asked = [
            [text, answer, i]
            for i in numbers
            for text, answer in (("what color is it?", "red"), ("is it  red?", "yes"))
        ]
        members[f"{DATA}/{part}/questions.json"] = json.dumps(asked)
        members |= {f"{DATA}/{part}/images/{i}.png": png(i + 100 * (part == "test")) for i in numbers}
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in (members | {f"{DATA}/{key}": value for key, value in changes.items()}).items():
            if content is not None:
                packed.writestr(name, content)
    return path


@pytest.fixture
def curate(tmp_path):
    def with_changes(changes, name="easy", **settings):
        archive = package(tmp_path / "p.whl", **changes)
        return make(tmp_path, name, {"kind": "easy_vqa"} | settings, {"easy_vqa": archive}, suffix="whl")

    return with_changes


def test_the_published_package(root, source_archive):
    done = make(root, "easy_vqa", {"kind": "easy_vqa"}, {"easy_vqa": source_archive("easy_vqa")}, suffix="whl")
    images, items = done.images, done.items
    assert Counter(images["split"].where(images["split"] == "test", "train")) == {"train": 4000, "test": 1000}
    assert len(done.manifest["answers"]) == 13
    assert set(items["answer"]) == set(done.manifest["answers"])
    assert (items["split"] == "test").sum() == 9673
    assert (items["split"] != "test").sum() == 38575
    assert Counter(items["type"]) == {"yes_no": 28407 + 7136, "colour": 6446, "shape": 6259}
    assert 0.08 < (images["split"] == "val").sum() / 4000 < 0.12
    with Image.open(io.BytesIO(done.image_bytes("train-0000"))) as image:
        assert image.size == (64, 64)
    blind = done.manifest["blind"]["test"]
    assert 0.8 < blind["yes_no"] < 0.85
    assert max(blind["colour"] - 1 / 8, blind["shape"] - 1 / 3) < 0.03


def test_validation_is_a_share_of_the_training_images(curate):
    done = curate({}, val=0.3)
    splits = done.images.set_index("image_id")["split"]
    assert Counter(splits[splits.index.str.startswith("test")]) == {"test": 20}
    assert 8 <= (splits == "val").sum() <= 28
    assert (done.items["image_id"].map(splits) == done.items["split"]).all()
    assert set(done.items["question"]) == {"what color is it?", "is it red?"}
    assert curate({}, "again", val=0.3).manifest["files"] == done.manifest["files"]
    assert curate({}, "other", val=0.3, seed=1).manifest["files"] != done.manifest["files"]
    few = curate({}, "few", max_images=20)
    assert Counter(few.images["image_id"].str[:4]) == {"trai": 20, "test": 20}
    assert len(few.items) == 80


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"answers.txt": None}, "lacks answers.txt or a questions.json"),
        ({"test/questions.json": None}, "lacks answers.txt or a questions.json"),
        ({"train/questions.json": "[["}, r"train/questions\.json is not in easy-VQA's form"),
        ({"train/questions.json": '[["what?", 3, 0]]'}, r"expected a text, got 3\); fetch the source again"),
        (
            {"train/questions.json": '[["what?", "red", 99]]'},
            "question 0 of train has image 99 and answer 'red', not both",
        ),
        ({"train/questions.json": '[["what?", "mauve", 0]]'}, "question 0 of train has image 0 and answer 'mauve'"),
        ({"test/images/0.png": png(3)}, "leaks: 1 times the same image in two splits"),
    ],
)
def test_a_damaged_package_is_one_clear_line(curate, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        curate(changes)
    assert not is_made(tmp_path)


def test_seen_texts_get_their_commonest_answer_and_others_back_off():
    blind = Blind(
        ["what colour ?", "what colour ?", "what colour ?", "is it red ?", "is it blue ?", "how many dogs ?"],
        ["red", "blue", "red", "yes", "no", "2"],
    )
    assert blind("what colour ?") == "red"
    assert blind("how many cats ?") == "2"  # by its first two words
    assert blind("is it ?") == "no"  # "is it" says yes and no alike: as common, so by name
    assert blind("zebra") == "red"  # nothing is known: the commonest


def test_scores_are_by_split_and_type():
    rows = [
        ("train", "a", "x", "1"),
        ("train", "b", "y", "2"),
        ("val", "a", "x", "1"),
        ("test", "a", "x", "2"),
        ("test", "b", "y", "2"),
    ]
    items = pd.DataFrame(rows, columns=["split", "type", "text", "answer"])
    assert blind_scores(items, "text", "answer") == {
        "val": {"all": 1.0, "a": 1.0},
        "test": {"all": 0.5, "a": 0.0, "b": 1.0},
    }


def test_yes_no_questions_can_be_left_out(tmp_path, source_archive):
    body = {"kind": "easy_vqa", "max_images": 40}
    archive = {"easy_vqa": source_archive("easy_vqa")}
    whole = make(tmp_path / "whole", "easy", body, archive, "whl")
    part = make(tmp_path / "part", "easy", body | {"yes_no": False}, archive, "whl")
    assert part.items["item_id"].tolist() == whole.items.query("type != 'yes_no'")["item_id"].tolist()
    assert part.manifest["answers"] == [one for one in whole.manifest["answers"] if one not in ("yes", "no")]
    assert set(part.items["answer"]) <= set(part.manifest["answers"])
