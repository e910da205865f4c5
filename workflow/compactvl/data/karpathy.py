"""Reader of Karpathy's split files (``dataset_flickr30k.json``, ``dataset_coco.json``).

    {"images": [{"filename", "filepath" (COCO), "split", "sentences": [{"raw", "sentid"}, ...]}, ...]}

``restval`` (COCO) is training data. All captions of an image are kept.
"""

from pathlib import Path, PurePosixPath
from typing import Any

from compactvl.data.captioned import CaptionedImage, has_words, split_name
from compactvl.data.user_json import read_user_json
from compactvl.errors import UserError


def read_karpathy(path: Path, folder: Path) -> list[CaptionedImage]:
    """Read a split file; whether the images are there is not checked.

    Args:
        path: the JSON file.
        folder: where the images are.

    Raises:
        UserError: no file, not that form, a repeated file name or sentence id, an image without captions,
            a caption without words; names it.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing; put Karpathy's split file there")
    body = read_user_json(path)
    if not isinstance(body, dict) or not isinstance(body.get("images"), list) or not body["images"]:
        raise UserError(f"{path} is not a Karpathy split file: it has no list 'images'")
    records: dict[str, CaptionedImage] = {}
    item_ids: set[str] = set()
    for number, entry in enumerate(body["images"]):
        where = f"{path} images[{number}]"
        record = _record(entry, folder, where)
        if record.image_id in records:
            raise UserError(f"{where}: file name {record.image_id!r} occurs twice; an image has one entry")
        for item_id, _ in record.captions:
            if item_id in item_ids:
                raise UserError(f"{where}: sentence id {item_id} occurs twice; ids must be unique")
            item_ids.add(item_id)
        records[record.image_id] = record
    return list(records.values())


def _record(entry: Any, folder: Path, where: str) -> CaptionedImage:
    try:
        name, split, sentences = entry["filename"], entry["split"], entry["sentences"]
        below = PurePosixPath(entry.get("filepath", ""), name)
        split = split_name(split, where)
        captions = tuple(
            (str(sentence.get("sentid", f"{name}#{k}")), " ".join(sentence["raw"].split()))
            for k, sentence in enumerate(sentences)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where}: not an entry with filename, split and sentences[].raw ({error!r})") from error
    if below.is_absolute() or ".." in below.parts:
        raise UserError(f"{where}: {str(below)!r} must be a path below the image folder")
    if not captions or not all(caption for _, caption in captions):
        raise UserError(f"{where}: {name!r} has no captions, or an empty one")
    for number, (_, caption) in enumerate(captions):
        if not has_words(caption):
            raise UserError(f"{where}.sentences[{number}]: caption {caption!r} of {name!r} has no words; take it out")
    return CaptionedImage(name, folder / below, split, captions)
