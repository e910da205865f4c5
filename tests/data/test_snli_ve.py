"""SNLI-VE, in the form it is distributed in."""

import pytest
from curating import make
from photographed import json_lines, photo

from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, answers_of

IMAGES = {"train": ("2473737724", "10101477"), "dev": ("4705552913",), "test": ("36979",)}
LABELS = ("neutral", "contradiction", "entailment")


def records(part):
    """One item a label and image, as SNLI numbers them."""
    return [
        {
            "Flickr30K_ID": image,
            "annotator_labels": [label],
            "captionID": f"{image}.jpg#0",
            "gold_label": label,
            "pairID": f"{image}.jpg#0r{number}{label[0]}",
            "sentence1": "What the photograph shows.",
            "sentence2": f"A {label} thing . ",
        }
        for image in IMAGES[part]
        for number, label in enumerate(LABELS)
    ]


@pytest.fixture
def root(tmp_path):
    for part in IMAGES:
        json_lines(tmp_path / f"snli_ve_{part}.jsonl", records(part))
    for number, image in enumerate(image for images in IMAGES.values() for image in images):
        photo(tmp_path / "flickr" / f"{image}.jpg", number)
    photo(tmp_path / "flickr" / "1.jpg", 99)
    return tmp_path


def curate(root, **changes):
    parts = {"train": "train", "val": "dev", "test": "test"}
    annotations = {split: str(root / f"snli_ve_{part}.jsonl") for split, part in parts.items()}
    body = {
        "kind": "snli_ve",
        "images": str(root / "flickr"),
        "annotations": annotations,
        "how_to_get": "Get it THERE.",
    }
    return make(root / "out", "entailment", body | changes)


def test_snli_ve(root):
    done = curate(root)
    assert list(done.items) == ["item_id", "image_id", "split", "hypothesis", "label", "type"]
    assert done.items.iloc[0].tolist() == ["2473737724.jpg#0r0n", "2473737724.jpg", "train", "A neutral thing .", 2, ""]
    assert done.items["label"].tolist() == [2, 0, 1] * 4
    assert done.items["split"].value_counts().to_dict() == {"train": 6, "val": 3, "test": 3}
    assert answers_of(done) == ["contradiction", "entailment", "neutral"]
    assert set(done.images["image_id"]) == {f"{image}.jpg" for images in IMAGES.values() for image in images}
    assert done.manifest["majority"]["test"]["score"] == 0.3333
    assert done.manifest["undecided"] == {"train": 0, "val": 0, "test": 0}
    named = [
        answers_of(done)[place] for place in answer_scores("x", done.items, answers_of(done)).toarray().argmax(axis=1)
    ]
    assert named == list(LABELS) * 4


def test_what_has_no_gold_label_is_left_out_and_counted(root):
    """The only item about its image, too: the photograph need not be there."""
    undecided = records("dev")[0] | {"gold_label": "-", "Flickr30K_ID": "5", "pairID": "5.jpg#0r1n"}
    json_lines(root / "snli_ve_dev.jsonl", [undecided, *records("dev")])
    done = curate(root)
    assert done.manifest["undecided"] == {"train": 0, "val": 1, "test": 0}
    assert len(done.split("val")) == 3
    json_lines(root / "snli_ve_dev.jsonl", [undecided])
    with pytest.raises(UserError, match=r"datasets\.entailment: its files have no item with a label; get them again"):
        curate(root, annotations={"val": str(root / "snli_ve_dev.jsonl")})


def test_files_that_say_less(root):
    """Without pairIDs an item is its line; an image's id may have its suffix."""
    short = [{"Flickr30K_ID": "4705552913.jpg", "sentence2": "A dog.", "gold_label": "entailment"}] * 2
    json_lines(root / "snli_ve_dev.jsonl", short)
    items = curate(root).split("val")
    assert items[["item_id", "image_id"]].values.tolist() == [["val-1", "4705552913.jpg"], ["val-2", "4705552913.jpg"]]
    json_lines(root / "snli_ve_dev.jsonl", [one | {"pairID": None} for one in short])
    assert list(curate(root).split("val")["item_id"]) == ["val-1", "val-2"]


def test_two_files_of_one_name_are_two_images(root):
    """An image's id is its file name."""
    lines = [{"Flickr30K_ID": f"{below}/1", "sentence2": "A dog.", "gold_label": "entailment"} for below in "ab"]
    for line in lines:
        photo(root / "flickr" / f"{line['Flickr30K_ID']}.jpg")
    json_lines(root / "snli_ve_dev.jsonl", lines[:1] * 2)
    assert list(curate(root).split("val")["image_id"]) == ["1.jpg"] * 2
    json_lines(root / "snli_ve_dev.jsonl", lines)
    with pytest.raises(UserError, match=r"line 2: image 'b/1\.jpg' has the file name of 'a/1\.jpg' \(.* line 1\)"):
        curate(root)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"gold_label": "maybe"},
            r"snli_ve_dev\.jsonl line 2: 'gold_label' is 'maybe', expected one of contradiction, ent",
        ),
        ({"gold_label": None}, "line 2: 'gold_label' is missing"),
        ({"sentence2": ""}, "line 2: 'sentence2' is '', no text"),
        ({"sentence2": "a\0b"}, "line 2: 'sentence2' has a NUL character"),
        ({"Flickr30K_ID": "x" * 300}, "1 of 5 images are missing"),
        ({"Flickr30K_ID": 4705552913}, "line 2: 'Flickr30K_ID' is 4705552913, no text"),
        ({"Flickr30K_ID": "../1"}, r"line 2: '\.\./1\.jpg' must be a path below the image folder"),
        (
            {"Flickr30K_ID": "2"},
            r"1 of 5 images are missing below .*flickr .* 2\.jpg, which .*dev\.jsonl line 2 names\. Get i",
        ),
        (
            {"Flickr30K_ID": "10101477"},
            r"line 2: image '10101477\.jpg' is in split train \(.*\) and in split val; take its",
        ),
        ({"pairID": "4705552913.jpg#0r0n"}, r"line 2: item '4705552913.jpg#0r0n' occurs twice \(also .*jsonl line 1\)"),
        ({"pairID": "10101477.jpg#0r0n"}, r"line 2: item '10101477.jpg#0r0n' is in split train and in split val"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(root, changes, message):
    lines = records("dev")
    lines[1] |= changes
    json_lines(root / "snli_ve_dev.jsonl", lines)
    with pytest.raises(UserError, match=message) as caught:
        curate(root)
    assert "\n" not in str(caught.value)
