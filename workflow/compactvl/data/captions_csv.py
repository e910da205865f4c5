"""Reader of ``captions.csv``: columns image, caption and perhaps split; one row a caption, UTF-8."""

import csv
import difflib
import io
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from compactvl.data.captioned import CaptionedImage, clean_caption, split_name
from compactvl.data.user_files import read_text, spelt_otherwise
from compactvl.errors import UserError

COLUMNS = ("image", "caption", "split")


def read_captions_csv(path: Path, folder: Path) -> list[CaptionedImage]:
    """Read a captions file, whose column ``image`` holds paths below ``folder``, with forward slashes.

    Returns:
        One record an image, in the order of first mention; all with a split or all without.

    Raises:
        UserError: no file, not UTF-8, a missing column or value, a caption without words, an image outside the folder or not there, a
            repeated row, an image in two splits, or splits on some rows only. Names the line.
    """
    captions: dict[str, list[tuple[str, str]]] = {}
    splits: dict[str, str | None] = {}
    seen: dict[tuple[str, str], int] = {}
    for line, row in _rows(path):
        where = f"{path} line {line}"
        image_id = _image_id(row["image"] or "", where)
        caption = clean_caption(row["caption"] or "", image_id, where)
        if (image_id, caption) in seen:
            raise UserError(
                f"{where}: the same image and caption as line {seen[image_id, caption]}; delete one of them"
            )
        split = split_name(row["split"], where) if (row.get("split") or "").strip() else None
        if image_id not in splits and not os.path.isfile(file := folder / image_id):
            raise UserError(f"{where}: caption of unknown image {image_id!r}: {file} is missing{spelt_otherwise(file)}")
        if splits.setdefault(image_id, split) != split:
            raise UserError(
                f"{where}: {image_id!r} is in split {splits[image_id]!r} and {split!r}; an image has one split"
            )
        seen[image_id, caption] = line
        own = captions.setdefault(image_id, [])
        own.append((f"{image_id}#{len(own)}", caption))
    if not captions:
        raise UserError(f"{path} has no captions; give one row a caption, with columns image,caption[,split]")
    if len({split is None for split in splits.values()}) == 2:
        missing = next(image_id for image_id, split in splits.items() if split is None)
        raise UserError(f"{path}: some images have a split, {missing!r} has none; fill the column or leave it out")
    return [CaptionedImage(i, folder / i, splits[i], tuple(own)) for i, own in captions.items()]


def _rows(path: Path):
    if not os.path.isfile(path):
        raise UserError(f"{path} is missing; write it with columns image,caption[,split]")
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        _check_columns(path, reader.fieldnames or ())
        for row in reader:
            if None in row:
                raise UserError(
                    f"{path} line {reader.line_num}: too many columns; put a caption with commas in double quotes"
                )
            yield reader.line_num, row
    except csv.Error as error:  # line_num is still that of the row before
        raise UserError(
            f"{path}: the row from line {reader.line_num + 1} on cannot be read as CSV ({error}); check its quotes"
        ) from error


def _check_columns(path: Path, found: Sequence[str]) -> None:
    """Other columns are the user's own business, unless they look like a slip of the pen."""
    for column in COLUMNS[:2]:
        if column not in found:
            raise UserError(
                f"{path}: no column {column!r} (columns: {', '.join(found) or 'none'}); "
                "the first line must be image,caption[,split]"
            )
    for column in found:
        if found.count(column) > 1:
            raise UserError(f"{path}: two columns are named {column!r}; rename one")
        near = difflib.get_close_matches(column.strip().lower(), COLUMNS, n=1, cutoff=0.7)
        if column not in COLUMNS and near and near[0] not in found:
            raise UserError(f'{path}: unknown column {column!r}; did you mean "{near[0]}"?')


def _image_id(value: str, where: str) -> str:
    """Return a path below the folder in one spelling: ``./a.jpg`` and ``a.jpg`` are one image."""
    path = PurePosixPath(value.strip().replace("\\", "/"))
    if not path.name or path.is_absolute() or ".." in path.parts:
        raise UserError(f"{where}: image {value!r} must be a path below the image folder")
    return str(path)
