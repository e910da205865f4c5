"""RefCOCO (Yu et al. 2016): which object of a photograph does an expression mean?

    refs(unc).p       pickled list: {"ref_id", "ann_id", "image_id", "file_name", "split", "sentences": [{"sent_id", "sent"}]}
    instances.json    COCO: {"images": [{"id", "file_name"}], "annotations": [{"id", "image_id", "bbox": [x, y, w, h]}]}

Every sentence is an item. Its candidates are all annotated objects of the image, by annotation id. Test items are of type
``testA`` (people) or ``testB`` (other things), others of type "". A ``file_name`` of refs ends in the annotation's id:
the photograph's own name is in instances.json.

A pickle can run code; this one is read without: whatever is not a plain value is refused.
"""

import io
import json
import os
import pickle
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path, PurePath
from typing import Any

import pandas as pd
from PIL import Image

from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS, by_split
from compactvl.data.kinds.refcoco import Settings
from compactvl.data.photos import read_photo
from compactvl.data.user_files import one_line, read_user_json, spelt_otherwise, whole_letters
from compactvl.errors import UserError
from compactvl.progress import track

SPLIT_OF = {
    "train": ("train", ""),
    "val": ("val", ""),
    "test": ("test", ""),
    "testA": ("test", "testA"),
    "testB": ("test", "testB"),
}
"""RefCOCO's split → split and type of its items."""
AGAIN = "get the file again"


class _Plain(pickle.Unpickler):
    """Reads lists, dictionaries, numbers and texts; nothing that would have to be imported."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it wants {module}.{name}")


def curate(settings: Settings, job: Curation) -> None:
    """Make the set: item_id, image_id, split, expression, boxes, target (place among the boxes), type."""
    boxes, names = _objects(Path(settings.instances))
    rows, splits = [], {}
    for number, ref in enumerate(read_refs(Path(settings.refs))):
        where = f"{settings.refs} ref {number}"
        image, own, split, kind, sentences = _parts(ref, where)
        if image not in names or own not in boxes[image]:
            raise UserError(
                f"{where}: image {image} with object {own} is not in {settings.instances}; give the files that belong together"
            )
        if len(boxes[image]) > settings.most_boxes:
            raise UserError(f"{where}: image {image} has {len(boxes[image])} boxes; raise {job.place}.most_boxes")
        if splits.setdefault(image, split) != split:
            raise UserError(
                f"{where}: image {image} is in split {splits[image]} and in split {split}; take one of them out"
            )
        if 0 in boxes[image][own][2:]:
            raise UserError(f"{where}: the box of annotation {own} in {settings.instances} is empty; {AGAIN}")
        ids = sorted(boxes[image])
        for sentence_id, text in sentences:
            rows.append(
                {
                    "item_id": f"{sentence_id}", "image_id": names[image], "split": split, "expression": text,
                    "boxes": json.dumps([boxes[image][one] for one in ids]), "target": ids.index(own), "type": kind,
                }
            )  # fmt: skip
    if not rows:
        raise UserError(f"{settings.refs} has no expressions; {AGAIN}")
    items = pd.DataFrame(sorted(rows, key=lambda row: SPLITS.index(row["split"])))
    chance = items.assign(chance=[1 / len(json.loads(own)) for own in items["boxes"]])

    def photos() -> Iterator[ImageRow]:
        for image, split in track(
            sorted(splits.items(), key=lambda one: SPLITS.index(one[1])), unit="image", label=f"read {job.name}"
        ):
            path = Path(settings.images, names[image])
            if not os.path.isfile(path):
                raise UserError(f"{path} is missing{spelt_otherwise(path)} ({job.place}.images): {settings.how_to_get}")
            data = read_photo(path, quality=settings.jpeg_quality)
            _check_inside(settings.instances, boxes[image], path, data)
            yield ImageRow(names[image], data, split)

    job.write(
        settings, items, photos(), types=by_split(items, "type", len),
        chance=by_split(chance, "type", lambda own: round(float(own["chance"].mean()), 4)),
    )  # fmt: skip


def read_refs(path: Path) -> list[Any]:
    """Read the pickled list.

    Raises:
        UserError: unreadable, no pickle, no list, or with more than plain values in it.
    """
    try:
        with path.open("rb") as file:
            refs = _Plain(file, encoding="utf-8").load()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; put the file there") from error
    except Exception as error:  # pickle raises whatever damaged bytes provoke
        raise UserError(f"{path} is no pickle of plain values ({error}); {AGAIN}") from error
    if not isinstance(refs, list):
        raise UserError(f"{path} holds a {type(refs).__name__}, not a list of refs; {AGAIN}")
    return refs


def _objects(path: Path) -> tuple[dict[int, dict[int, list[float]]], dict[int, str]]:
    """Return image → object → box, and image → name of its file.

    COCO itself has objects without height: they may be candidates.
    """
    body, place = read_user_json(path), ""
    names: dict[int, str] = {}
    boxes: dict[int, dict[int, list[float]]] = defaultdict(dict)
    seen: set[int] = set()
    try:
        for number, image in enumerate(body["images"]):
            place = f" images[{number}]"
            if names.setdefault(int(image["id"]), name := PurePath(_text(image, "file_name")).name) != name:
                raise ValueError(f"image {image['id']} is there twice")
        place = ""
        for number, one in enumerate(body["annotations"]):
            place = f" annotations[{number}]"
            x, y, width, height = box = [float(value) for value in one["bbox"]]
            if not all(map(isfinite, box)) or min(width, height) < 0 or width == height == 0:
                raise ValueError(f"annotation {one['id']} has the box {box}, which is no part of an image")
            if (own := int(one["id"])) in seen:
                raise ValueError(f"annotation {own} is there twice")
            seen.add(own)
            boxes[int(one["image_id"])][own] = [x, y, width, height]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{path}{place} is not in COCO's form ({type(error).__name__}: {error}); {AGAIN}") from error
    return boxes, names


def _check_inside(instances: str, boxes: Mapping[int, list[float]], path: Path, data: bytes) -> None:
    """Refuse a box that leaves its photograph by more than a pixel, as published ones do at the edge."""
    with Image.open(io.BytesIO(data)) as image:
        width, height = image.size
    for own, (x, y, w, h) in boxes.items():
        if min(x, y) < -1 or x + w > width + 1 or y + h > height + 1:
            raise UserError(
                f"{instances}: annotation {own} has the box {[x, y, w, h]}, but {path} is {width} × {height} pixels; "
                "give the files that belong together, photographs in their own size"
            )


def _text(entry: Mapping[str, Any], field: str) -> str:
    if not isinstance(value := entry[field], str) or not value.strip():
        raise ValueError(f"{field!r} is {value!r}, no text")
    return value


def _parts(ref: Any, where: str) -> tuple[int, int, str, str, list[tuple[int, str]]]:
    """Return a ref's image, object, split, type, and its sentences with their ids."""
    try:
        if not isinstance(ref, Mapping):
            raise TypeError("no dictionary")
        split, kind = SPLIT_OF[ref["split"]]
        sentences = [
            (int(one["sent_id"]), one_line(whole_letters(_text(one, "sent")), f"{where}, sentence {one['sent_id']}"))
            for one in ref["sentences"]
        ]
        return int(ref["image_id"]), int(ref["ann_id"]), split, kind, sentences
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where} is not in RefCOCO's form ({type(error).__name__}: {error}); {AGAIN}") from error
