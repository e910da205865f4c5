"""Reader of Karpathy's split files (``dataset_flickr30k.json``, ``dataset_coco.json``).

    {"images": [{"filename", "filepath" (COCO), "split", "sentences": [{"raw", "sentid"}, ...]}, ...]}

``restval`` (COCO) is training data. All captions of an image are kept. A file of one's own may leave out ``filepath``,
``sentid``, and every ``split``.
"""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from compactvl.data.captioned import CaptionedImage, clean_caption, split_name
from compactvl.data.user_files import read_user_json
from compactvl.errors import UserError


def read_karpathy(path: Path, folder: Path) -> list[CaptionedImage]:
    """Read a split file; whether the images are there, below ``folder``, is not checked.

    Returns:
        One record an image; all with a split or all without.

    Raises:
        UserError: no file, not that form, splits of some images only, a repeated file name or sentence id, an image without captions,
            a caption without words; names it.
    """
    if not os.path.isfile(path):
        raise UserError(f"{path} is missing; put Karpathy's split file there")
    body = read_user_json(path)
    if not isinstance(body, dict) or not isinstance(body.get("images"), list) or not body["images"]:
        raise UserError(f"{path} is not a Karpathy split file: it has no list 'images'")
    entries = body["images"]
    names = Counter(str(entry.get("filename")) for entry in entries if isinstance(entry, dict))
    records: dict[str, CaptionedImage] = {}
    item_ids: set[str] = set()
    for number, entry in enumerate(entries):
        where = f"{path} images[{number}]"
        record = _record(entry, folder, where, names)
        if record.image_id in records:
            raise UserError(f"{where}: file name {record.image_id!r} occurs twice; an image has one entry")
        for item_id, _ in record.captions:
            if item_id in item_ids:
                raise UserError(f"{where}: sentence id {item_id} occurs twice; ids must be unique")
            item_ids.add(item_id)
        records[record.image_id] = record
    without = [record.image_id for record in records.values() if record.split is None]
    if 0 < len(without) < len(records):
        raise UserError(f"{path}: some images have a split, {without[0]!r} has none; give all of them one, or none")
    return list(records.values())


def _record(entry: Any, folder: Path, where: str, names: Mapping[str, int]) -> CaptionedImage:
    """Return one entry's image; its id is the file name, with the folder where another image has the same."""
    name = _text(entry, "filename", where)
    below = PurePosixPath(_text(entry, "filepath", where, ""), name)
    if below.is_absolute() or ".." in below.parts:
        raise UserError(f"{where}: {str(below)!r} must be a path below the image folder")
    image_id = name if names[name] == 1 else str(below)
    split = _text(entry, "split", where, "")
    sentences = entry.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise UserError(f"{where}: {name!r} has no list of sentences; give it captions, or take it out")
    captions = []
    for number, sentence in enumerate(sentences):
        place = f"{where}.sentences[{number}]"
        caption = clean_caption(_text(sentence, "raw", place), name, place)
        item_id = sentence.get("sentid")
        captions.append((f"{image_id}#{number}" if item_id is None else str(item_id), caption))
    return CaptionedImage(image_id, folder / below, split_name(split, where) if split else None, tuple(captions))


def _text(entry: Any, field: str, where: str, default: str | None = None) -> str:
    """Return a field's text; ``null`` is as if the field were not there."""
    value = entry.get(field) if isinstance(entry, dict) else None
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    problem = "is missing" if value is None else f"is {value!r}, no text"
    raise UserError(f"{where}: {field!r} {problem}; an image has a filename, and sentences with a text raw each")
