"""NLVR2 and Cornell's NLVR, in the forms they are distributed in."""

import io
import json

import pytest
from curating import is_made, make
from photographed import json_lines, photo
from PIL import Image

from compactvl.errors import UserError
from compactvl.evaluation.answers import answer_scores, answers_of

NLVR2 = {
    "train": [("train-10171-0-0", "True"), ("train-10171-0-1", "False"), ("train-10171-2-0", "False")],
    "dev": [("dev-850-0-0", "False"), ("dev-850-1-0", "True"), ("dev-850-2-0", "False")],
    "test1": [("test1-0-1-0", "True")],
}


def nlvr2_record(identifier, label, **fields):
    parts = identifier.split("-")
    sentence = f"Set {parts[1]} of {parts[0]}:  sentence {parts[3]}."
    return {"identifier": identifier, "sentence": sentence, "label": label, "left_url": "http://x"} | fields


@pytest.fixture
def nlvr2(tmp_path):
    """NLVR2's files; train has numbered directories, the others have none."""
    root = tmp_path / "nlvr2"
    for number, (part, items) in enumerate(NLVR2.items()):
        fields = {"directory": 4} if part == "train" else {}
        json_lines(root / f"{part}.json", [nlvr2_record(*item, **fields) for item in items])
        folder = root / ("images/train/4" if part == "train" else part)
        for pair, (identifier, _) in enumerate(items):
            for side in (0, 1):
                name = f"{identifier.rpartition('-')[0]}-img{side}.png"
                photo(folder / name, 100 * number + 10 * pair + side)
    return root


def curate_nlvr2(root, **changes):
    files = {"train": "train", "val": "dev", "test": "test1"}
    annotations = {split: str(root / f"{part}.json") for split, part in files.items()}
    body = {"kind": "nlvr2", "images": str(root), "annotations": annotations, "how_to_get": "Get it THERE."}
    return make(root.parent / "out", "pairs", body | changes)


def test_nlvr2(nlvr2):
    photo(nlvr2 / "dev" / "dev-1-0-img0.png", 7)
    done = curate_nlvr2(nlvr2)
    items = done.items
    assert list(items) == ["item_id", "image_0", "image_1", "split", "statement", "label", "sentence_id", "type"]
    assert items["split"].tolist() == ["train"] * 3 + ["val"] * 3 + ["test"]
    assert items.iloc[2].tolist() == [
        "train-10171-2-0", "train-10171-2-img0.png", "train-10171-2-img1.png", "train", "Set 10171 of train: sentence 0.",
        0, "train-10171-0", "",
    ]  # fmt: skip
    assert items["label"].tolist() == [1, 0, 0, 0, 1, 0, 1]
    assert answers_of(done) == ["false", "true"]
    assert done.manifest["majority"]["val"] == {"answer": "false", "score": 0.6667}
    assert done.manifest["in_two_splits"] == {}
    assert len(done) == 2 * (2 + 3 + 1), "two items share a pair, and what no item names is not read"
    assert Image.open(io.BytesIO(done.image_bytes("test1-0-1-img1.png"))).size == (32, 24)
    scores = answer_scores(done.name, items, answers_of(done)).toarray()
    assert (scores.argmax(axis=1) == items["label"]).all()


def test_nlvr2s_sentences_are_those_of_the_official_script(nlvr2):
    """It blanks the third part of the identifier; all examples of what is left count as one sentence."""
    items = curate_nlvr2(nlvr2).items
    official = ["-".join([*one.split("-")[:2], "", *one.split("-")[3:]]) for one in items["item_id"]]
    groups = set(zip(official, items["sentence_id"], strict=True))
    assert len(groups) == len(set(official)) == items["sentence_id"].nunique() == 4
    assert items.groupby("sentence_id")["statement"].nunique().max() == 1


def test_nlvr2s_images_may_all_be_in_one_folder(nlvr2):
    for path in list(nlvr2.rglob("*.png")):
        path.rename(nlvr2 / path.name)
    assert len(curate_nlvr2(nlvr2)) == 12


def test_a_picture_that_is_in_two_published_splits_is_told(nlvr2, caplog):
    photo(nlvr2 / "dev" / "dev-850-1-img0.png", 0)
    photo(nlvr2 / "images/train/4" / "train-10171-0-img0.png", 0)
    done = curate_nlvr2(nlvr2)
    assert done.manifest["in_two_splits"] == {"dev-850-1-img0.png": "train-10171-0-img0.png"}
    assert "datasets.pairs: 1 images are in two splits" in caplog.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"identifier": ', r"dev\.json line 2 is not JSON \(.*\); get the file again"),
        ("[1]", r"dev\.json line 2 is no JSON object; give the file as it is distributed"),
        (nlvr2_record("dev-850-0-0", "True"), r"line 2: item 'dev-850-0-0' occurs twice \(also .*dev\.json line 1\)"),
        (nlvr2_record("train-10171-0-0", "True"), r"line 2: item 'train-10171-0-0' is in split train and in split val"),
        (
            nlvr2_record("train-10171-0-7", "True"),
            r"line 2: image 'train-10171-0-img0\.png' is in split train \(.*train\.",
        ),
        (nlvr2_record("dev-850-3-0", "Maybe"), r"line 2: 'label' is 'Maybe', expected one of false, true; correct it"),
        (nlvr2_record("dev-850-3-0", None), r"line 2: 'label' is missing, expected one of false, true"),
        (nlvr2_record("dev-850-3-0", "True", sentence=" "), r"line 2: 'sentence' is ' ', no text; correct it"),
        (
            {"sentence": "x", "label": "True"},
            r"line 2: 'identifier' is missing; correct it there, or get the file again",
        ),
        (nlvr2_record("dev-850-3-0", "True") | {"identifier": "dev-850"}, r"'dev-850', not split-set-pair-sentence"),
        (nlvr2_record("dev-..-3-0", "True", directory="../.."), r"line 2: '.*' must be a path below the image folder"),
        (
            nlvr2_record("dev-9-3-0", "True"),
            r"2 of 14 images are missing .*dev/dev-9-3-img0\.png, which .*dev\.json line 2 n",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_its_place(nlvr2, line, message):
    lines = (nlvr2 / "dev.json").read_text().splitlines()
    lines.insert(1, line if isinstance(line, str) else json.dumps(line))
    (nlvr2 / "dev.json").write_text("\n".join(lines))
    with pytest.raises(UserError, match=message) as caught:
        curate_nlvr2(nlvr2)
    assert "\n" not in str(caught.value)
    assert not is_made(nlvr2.parent)


def test_missing_files_are_told_with_where_to_get_them(nlvr2):
    (nlvr2 / "dev.json").unlink()
    with pytest.raises(UserError) as caught:
        curate_nlvr2(nlvr2, images="nowhere")
    assert str(caught.value).splitlines() == [
        "datasets.pairs.images: the folder nowhere is missing: Get it THERE.",
        f"datasets.pairs.annotations.val: {nlvr2}/dev.json is missing: Get it THERE.",
    ]
    (nlvr2 / "dev.json").write_text("\n")
    with pytest.raises(UserError, match=r"dev\.json has no records; get the file again"):
        curate_nlvr2(nlvr2)
    (nlvr2 / "dev.json").write_bytes(b"\xff")
    with pytest.raises(UserError, match=r"dev\.json line 1 is not UTF-8"):
        curate_nlvr2(nlvr2)
    with pytest.raises(UserError, match=r"datasets\.pairs\.annotations: give the file of one split or more"):
        curate_nlvr2(nlvr2, annotations={})


def test_one_file_for_two_splits(nlvr2):
    dev = str(nlvr2 / "dev.json")
    with pytest.raises(
        UserError, match=r"line 1: item 'dev-850-0-0' is in split val and in split test \(also .* line 1\)"
    ):
        curate_nlvr2(nlvr2, annotations={"val": dev, "test": dev})


def test_where_the_files_are_changes_no_record(nlvr2):
    assert set(curate_nlvr2(nlvr2).manifest["settings"]) == {"kind", "max_side", "jpeg_quality"}


def nlvr_record(identifier, label, **fields):
    return {"identifier": identifier, "directory": "2", "sentence": "A box is blue.", "label": label} | fields


@pytest.fixture
def nlvr(tmp_path):
    root = tmp_path / "nlvr"
    for part, identifiers in {"train": ["7-0", "7-3"], "dev": ["7-0"]}.items():
        records = [
            nlvr_record(identifier, "true" if position else "false") for position, identifier in enumerate(identifiers)
        ]
        json_lines(root / part / f"{part}.json", records)
        for number, identifier in enumerate(identifiers):
            for order in range(6):
                photo(root / part / "images" / "2" / f"{part}-{identifier}-{order}.png", 10 * number + order)
    return root


def curate_nlvr(root, **changes):
    annotations = {"train": str(root / "train" / "train.json"), "val": str(root / "dev" / "dev.json")}
    body = {"kind": "nlvr", "images": str(root), "annotations": annotations, "how_to_get": "Get it THERE."}
    return make(root.parent / "out", "boxes", body | changes)


def test_nlvr(nlvr):
    """Identifiers begin anew in each split, so the ids have the split's name."""
    done = curate_nlvr(nlvr)
    assert done.items.values.tolist() == [
        ["train-7-0", "train-7-0-0.png", "train", "A box is blue.", 0, "train-7", ""],
        ["train-7-3", "train-7-3-0.png", "train", "A box is blue.", 1, "train-7", ""],
        ["dev-7-0", "dev-7-0-0.png", "val", "A box is blue.", 0, "dev-7", ""],
    ]
    assert answers_of(done) == ["false", "true"]
    other = curate_nlvr(nlvr, permutation=5)
    assert other.items["image_id"].tolist() == ["train-7-0-5.png", "train-7-3-5.png", "dev-7-0-5.png"]
    assert other.manifest["settings"]["permutation"] == 5
    with pytest.raises(UserError, match=r"permutation: .*less than or equal to 5"):
        curate_nlvr(nlvr, permutation=6)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (nlvr_record("8", "true"), "line 1: 'identifier' is '8', not presentation-position"),
        (nlvr_record("8-1", "True?"), "line 1: 'label' is 'True\\?', expected one of false, true"),
        ({"identifier": "8-1", "sentence": "x", "label": "true"}, "line 1: 'directory' is missing"),
        (
            nlvr_record("8-1", "true"),
            r"1 of 3 images are missing .* the first is dev/images/2/dev-8-1-0\.png, which .* THERE",
        ),
    ],
)
def test_what_is_wrong_in_nlvr(nlvr, record, message):
    json_lines(nlvr / "dev" / "dev.json", [record])
    with pytest.raises(UserError, match=message):
        curate_nlvr(nlvr)


def test_real_nlvr(samples, tmp_path):
    root = samples / "nlvr"
    if not root.is_dir():
        pytest.skip("the sample data has no nlvr")
    body = {"kind": "nlvr", "images": str(root), "annotations": {"val": str(root / "dev" / "dev.json")}}
    done = make(tmp_path, "boxes", body | {"how_to_get": "It is in the samples."})
    assert len(done) == len(done.items) == 497
    assert done.manifest["majority"] == {"val": {"answer": "true", "score": 0.5614}}
    assert done.items.groupby("sentence_id")["statement"].nunique().max() == 1
    assert done.items["sentence_id"].nunique() == 133
    first = done.items.iloc[0]
    assert first[["item_id", "image_id", "label"]].tolist() == ["dev-1572-0", "dev-1572-0-0.png", 1]
    assert Image.open(io.BytesIO(done.image_bytes("dev-1572-0-0.png"))).size == (400, 100)
