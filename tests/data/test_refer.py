"""Expressions that mean one box: made of scenes, and read from RefCOCO's files."""

import json
import pickle
from collections import Counter

import numpy as np
import pytest
from curating import make
from photographed import photo

from compactvl.data.things import KIND_OF
from compactvl.errors import UserError

SCENES = {"kind": "scenes", "concepts": 30, "images": {"train": 200, "val": 60, "test": 60}}
NUMBERS = {"train": 90, "val": 12, "test": 31}
SIDES = {"on the left": (0, 1), "on the right": (0, -1), "at the top": (1, 1), "at the bottom": (1, -1)}


@pytest.fixture(scope="module")
def scenes(make_set, root):
    return make_set(root, "many_scenes", SCENES)


@pytest.fixture(scope="module")
def referred(scenes, root):
    return make(root, "refer", {"kind": "scene_refer", "scenes": "many_scenes", "expressions": NUMBERS})


def drawn_boxes(scenes, image_id: str) -> list[tuple[str, np.ndarray]]:
    """(concept, x, y, width, height in pixels) of every object of a scene."""
    meta = json.loads(scenes.images.set_index("image_id").loc[image_id, "meta"])
    side = scenes.manifest["settings"]["image_size"]
    found = []
    for thing in meta["objects"]:
        for x0, y0, x1, y1 in thing["boxes"]:
            found.append((thing["concept"], np.array([x0, y0, x1 - x0, y1 - y0]) * side))
    return found


def test_an_expression_means_the_object_it_says(scenes, referred):
    for row in referred.items.itertuples():
        boxes, objects = np.array(json.loads(row.boxes)), drawn_boxes(scenes, row.image_id)
        assert len(boxes) == len(objects) > 1
        places = [int(np.abs(boxes - box).sum(1).argmin()) for _, box in objects]
        assert sorted(places) == list(range(len(boxes))), "every object's box is there once"
        concept = dict(zip(places, (name for name, _ in objects), strict=True))
        right = concept[row.target]
        if row.type == "name":
            assert [name for name in concept.values() if f"{name} " in f"{row.expression} "].count(right) == 1
        elif row.type == "kind":
            kind = KIND_OF[right]
            assert kind in row.expression
            assert [KIND_OF.get(name) for name in concept.values()].count(kind) == 1
        else:
            side = next(words for words in SIDES if row.expression.endswith(words))
            assert row.expression == f"the {right} {side}"
            axis, sign = SIDES[side]
            middle = {place: sign * (boxes[place, axis] + boxes[place, axis + 2] / 2) for place in concept}
            same = [place for place in concept if concept[place] == right]
            assert len(same) > 1
            assert min(same, key=middle.get) == row.target


def test_numbers_types_and_order_are_as_asked(referred, root):
    items = referred.items
    assert items["split"].value_counts().to_dict() == NUMBERS
    assert Counter(items.query("split == 'test'")["type"]) == {"name": 11, "kind": 10, "place": 10}
    places = items["target"] / (items["boxes"].map(lambda text: len(json.loads(text))) - 1)
    assert 0.35 < places.mean() < 0.65, "the right one stands anywhere"
    mean = items.query("split == 'test' and type == 'name'")["boxes"].map(lambda text: 1 / len(json.loads(text))).mean()
    assert referred.manifest["chance"]["test"]["name"] == pytest.approx(mean, abs=1e-4)
    assert referred.manifest["images_of"] == "many_scenes"
    again = make(root, "refer_again", {"kind": "scene_refer", "scenes": "many_scenes", "expressions": NUMBERS})
    assert again.items.equals(items)


def test_more_than_the_scenes_give_is_refused(scenes, root):
    body = {"kind": "scene_refer", "scenes": "many_scenes", "expressions": {"train": 90, "val": 900, "test": 9}}
    with pytest.raises(
        UserError, match=r"datasets.much.expressions.val: 300 val expressions of type name asked for, the scenes"
    ):
        make(root, "much", body)


def write_refcoco(root, **changed) -> dict:
    names = {
        7: "COCO_train2014_000000000007.jpg",
        9: "COCO_train2014_000000000009.jpg",
        11: "COCO_train2014_000000000011.jpg",
    }
    for image, name in names.items():
        photo(root / "train2014" / name, image)
    annotations = [
        {"id": 70 + i, "image_id": image, "bbox": [i, i, 5.5, 6], "category_id": 1} for image in names for i in range(3)
    ]
    for row in annotations:
        row["id"] += 1000 * row["image_id"]
    annotations[1].update(changed.get("annotation", {}))
    instances = {
        "images": [{"id": image, "file_name": name} for image, name in names.items()],
        "annotations": annotations,
    } | changed.get("instances", {})
    refs = [
        {"ref_id": i, "ann_id": 1000 * image + 71, "image_id": image, "file_name": f"{names[image][:-4]}_{i}.jpg", "split": split,
         "category_id": 1, "sent_ids": [2 * i, 2 * i + 1],
         "sentences": [{"sent_id": 2 * i + j, "sent": f"the  one {j}", "raw": "The one", "tokens": ["the", "one"]} for j in (0, 1)]}
        for i, (image, split) in enumerate([(7, "train"), (9, "testA"), (9, "testB"), (11, "val")])
    ]  # fmt: skip
    refs[0]["sentences"][0].update(changed.get("sentence", {}))
    (root / "refs(unc).p").write_bytes(changed.get("pickle") or pickle.dumps(changed.get("refs", refs), protocol=2))
    (root / "instances.json").write_text(json.dumps(instances))
    return {
        "kind": "refcoco", "images": str(root / "train2014"), "refs": str(root / "refs(unc).p"),
        "instances": str(root / "instances.json"), "how_to_get": "ask",
    }  # fmt: skip


def test_refcoco_is_read_as_it_is_distributed(tmp_path):
    found = make(tmp_path, "refcoco", write_refcoco(tmp_path))
    items = found.items
    assert items[["item_id", "split", "type"]].to_numpy().tolist() == [
        ["0", "train", ""], ["1", "train", ""], ["6", "val", ""], ["7", "val", ""],
        ["2", "test", "testA"], ["3", "test", "testA"], ["4", "test", "testB"], ["5", "test", "testB"],
    ]  # fmt: skip
    first = items.iloc[0]
    assert first["expression"] == "the one 0"
    assert first["image_id"] == "COCO_train2014_000000000007.jpg"
    assert json.loads(first["boxes"]) == [[0.0, 0.0, 5.5, 6.0], [1.0, 1.0, 5.5, 6.0], [2.0, 2.0, 5.5, 6.0]]
    assert first["target"] == 1
    assert set(found.images["split"]) == {"train", "val", "test"}


def test_what_refcoco_has_at_the_edge_is_read(tmp_path):
    """Half an emoji, a box that leaves its image by a pixel, and one without height that no expression means."""
    body = write_refcoco(tmp_path, sentence={"sent": "the \ud83d one"}, annotation={"bbox": [-1, 0, 34, 25]})
    assert make(tmp_path, "refcoco", body).items["expression"][0] == "the \ufffd one"
    body = write_refcoco(tmp_path, instances={"images": [{"id": image, "file_name": f"COCO_train2014_0000000000{image:02}.jpg"} for image in (7, 9, 11)], "annotations": [{"id": 1000 * image + 70 + i, "image_id": image, "bbox": [i, i, 5.5, 0 if i == 2 else 6]} for image in (7, 9, 11) for i in range(3)]})  # fmt: skip
    assert json.loads(make(tmp_path, "refcoco", body).items["boxes"][0])[2] == [2.0, 2.0, 5.5, 0.0]


NAMED = r"instances\.json annotations\[1\] is not in COCO's form \(ValueError: annotation 7071 has the box"


class Harm:
    """A pickle of this would run a program."""

    def __reduce__(self):
        import os

        return os.system, ("true",)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pickle": pickle.dumps([Harm()])}, r"is no pickle of plain values \(it wants posix.system\)"),
        ({"pickle": b"nothing"}, "is no pickle of plain values"),
        ({"pickle": pickle.dumps({"refs": 1})}, "holds a dict, not a list of refs"),
        ({"refs": [{"split": "train"}]}, r"ref 0 is not in RefCOCO's form \(KeyError: 'sentences'\)"),
        ({"refs": []}, "has no expressions"),
        ({"sentence": {"sent": None}}, r"ref 0 is not in RefCOCO's form \(ValueError: 'sent' is None, no text\)"),
        ({"sentence": {"sent": ["a"]}}, r"ref 0 .*'sent' is \['a'\], no text"),
        ({"sentence": {"sent": " "}}, "ref 0 .*'sent' is ' ', no text"),
        ({"sentence": {"sent": "a\0b"}}, "ref 0, sentence 0 has a NUL character"),
        ({"annotation": {"bbox": [0, float("nan"), 5, 5]}}, NAMED),
        ({"annotation": {"bbox": [0, 0, 5, float("inf")]}}, NAMED),
        ({"annotation": {"bbox": [5, 5, -5, 5]}}, NAMED),
        ({"annotation": {"bbox": [5, 5, 0, 0]}}, NAMED),
        ({"annotation": {"bbox": [5, 5, 5, 0]}}, "ref 0: the box of annotation 7071 in .*instances.json is empty"),
        ({"annotation": {"bbox": [5, 5, 29, 5]}}, r"annotation 7071 has the box .* but .*07\.jpg is 32 × 24 pixels"),
        ({"annotation": {"bbox": None}}, r"instances\.json annotations\[1\] is not in COCO's form \(TypeError"),
        ({"annotation": {"id": 7070}}, r"annotations\[1\] .*annotation 7070 is there twice"),
        ({"instances": {"images": [{"id": 7, "file_name": None}]}}, r"images\[0\] .*'file_name' is None, no text"),
        ({"instances": {"images": [{"id": 7, "file_name": f"{n}.jpg"} for n in "ab"]}}, r"images\[1\] .*image 7 is there"),
        ({"refs": [{"ann_id": 1, "image_id": 7, "split": "val", "sentences": []}]}, "image 7 with object 1 is not in"),
    ],
)  # fmt: skip
def test_what_is_no_refcoco_is_refused(tmp_path, changed, message):
    with pytest.raises(UserError, match=message):
        make(tmp_path, "refcoco", write_refcoco(tmp_path, **changed))
    assert not list((tmp_path / "data" / "sets" / "refcoco").glob("*.parquet"))


def test_a_photograph_that_is_not_there_is_named(tmp_path):
    body = write_refcoco(tmp_path)
    (tmp_path / "train2014" / "COCO_train2014_000000000011.jpg").unlink()
    with pytest.raises(UserError, match=r"000000000011.jpg is missing \(datasets.refcoco.images\): ask"):
        make(tmp_path, "refcoco", body)
