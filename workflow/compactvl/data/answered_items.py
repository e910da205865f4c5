"""From annotation files to the items of a set with answers, and to the photographs they name; see :mod:`.answered`.

What is wrong in a file is told with the file and the line, in one line. An id has one item, an image one split. Only
photographs that an item names are read.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from compactvl.data.answered import AnsweredPhotos, SplitFiles
from compactvl.data.canonical import ImageRow
from compactvl.data.curate import Curation
from compactvl.data.draws import SPLITS
from compactvl.data.photos import read_photo
from compactvl.data.user_files import one_line, parse_json, read_lines, spelt_otherwise
from compactvl.errors import UserError
from compactvl.files import sha256_bytes
from compactvl.progress import track

log = logging.getLogger(__name__)
AGAIN = "correct it there, or get the file again"


@dataclass(frozen=True)
class Line:
    """One record of a file of JSON lines: ``number`` is its line, from 1; ``split`` that of the file."""

    path: Path
    number: int
    split: str
    record: Mapping[str, Any]

    @property
    def where(self) -> str:
        """Its place, for messages."""
        return f"{self.path} line {self.number}"

    def text(self, field: str) -> str:
        """Return a field's text, its words separated by single spaces.

        Raises:
            UserError: it is missing, no text, or empty.
        """
        return text_of(self.record, field, self.where)

    def label(self, field: str, answers: Sequence[str]) -> int:
        """Return the place of a field's answer; capitals do not matter.

        Raises:
            UserError: it is none of them.
        """
        value = self.record.get(field)
        if str(value).lower() not in answers:
            problem = "is missing" if value is None else f"is {value!r}"
            raise UserError(f"{self.where}: {field!r} {problem}, expected one of {', '.join(answers)}; {AGAIN}")
        return answers.index(str(value).lower())


def text_of(record: Any, field: str, where: str) -> str:
    """Return a field's text, its words separated by single spaces.

    Raises:
        UserError: it is missing, no text, empty, or has a NUL character; ``where`` says of which record.
    """
    value = record.get(field) if isinstance(record, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: {field!r} {'is missing' if value is None else f'is {value!r}, no text'}; {AGAIN}")
    return one_line(value, f"{where}: {field!r}")


def read_split_files(files: SplitFiles) -> Iterator[Line]:
    """Yield the records of each split's file of JSON lines; empty lines are skipped.

    Raises:
        UserError: unreadable, not UTF-8, a line that is no JSON object, or no records; names file and line.
    """
    for split, file in files.paths().items():
        path, found = Path(file), False
        for number, text in read_lines(path):
            if not text:
                continue
            try:
                record = parse_json(text)
            except (RecursionError, ValueError) as error:
                raise UserError(f"{path} line {number} is not JSON ({error}); get the file again") from error
            if not isinstance(record, dict):
                raise UserError(f"{path} line {number} is no JSON object; give the file as it is distributed")
            found = True
            yield Line(path, number, split, record)
        if not found:
            raise UserError(f"{path} has no records; get the file again")


@dataclass(frozen=True)
class _Photo:
    split: str
    where: str
    candidates: tuple[str, ...]


class AnsweredItems:
    """The items of one data set, added one by one, and the photographs they name."""

    def __init__(self, job: Curation, settings: AnsweredPhotos) -> None:
        self._job, self._settings = job, settings
        self._folder = Path(settings.images)
        self._rows: list[dict[str, Any]] = []
        self._items: dict[str, tuple[str, str]] = {}
        self._photos: dict[str, _Photo] = {}

    def add(self, where: str, item_id: str, split: str, photos: Mapping[str, Sequence[str]], **columns: Any) -> None:
        """Add an item.

        Args:
            where: its file and line, for messages.
            photos: column → the paths below the image folder that its photograph may have, the likeliest first. All end in
                the same file name, which is the image's id.
            columns: its other columns.

        Raises:
            UserError: the id has an item, an image is in another split or its id that of another, or a path leads out of the
                folder.
        """
        if item_id in self._items:
            other, place = self._items[item_id]
            problem = "occurs twice" if other == split else f"is in split {other} and in split {split}"
            raise UserError(f"{where}: item {item_id!r} {problem} (also {place}); take one of them out")
        self._items[item_id] = split, where
        row = {"item_id": item_id}
        for column, candidates in photos.items():
            row[column] = self._name(where, split, tuple(candidates))
        self._rows.append({**row, "split": split, **columns})

    def _name(self, where: str, split: str, candidates: tuple[str, ...]) -> str:
        """Return the id of an image, and remember where it may be."""
        name = candidates[0].rpartition("/")[2]
        known = self._photos.get(name)
        if known is None:
            path = PurePosixPath(candidates[0])
            if path.is_absolute() or ".." in path.parts:
                raise UserError(f"{where}: {candidates[0]!r} must be a path below the image folder; {AGAIN}")
            known = self._photos[name] = _Photo(split, where, candidates)
        if known.split != split:
            raise UserError(
                f"{where}: image {name!r} is in split {known.split} ({known.where}) and in split {split}; "
                "take its items out of one of them"
            )
        if known.candidates != candidates:
            raise UserError(
                f"{where}: image {candidates[0]!r} has the file name of {known.candidates[0]!r} ({known.where}), and the name "
                "is an image's id; rename one of them"
            )
        return name

    def table(self) -> pd.DataFrame:
        """Return the items, splits in the order train, val, test; within one as they were added.

        Raises:
            UserError: there are none.
        """
        if not self._rows:
            raise UserError(f"{self._job.place}: its files have no item with a label; get them again")
        return pd.DataFrame(sorted(self._rows, key=lambda row: SPLITS.index(row["split"])))

    def write(self, answers: Sequence[str], **facts: Any) -> None:
        """Read the photographs and write the data set, with its ``answers`` and further facts in the manifest.

        A picture that is in two splits under two names is told in the manifest (``in_two_splits``), not refused: the split is
        the published one.

        Raises:
            UserError: no items, or a photograph is missing or unreadable; names it.
        """
        files = self._files()
        order = sorted(self._photos.items(), key=lambda photo: SPLITS.index(photo[1].split))
        stored: dict[str, str] = {}
        leaks: dict[str, str] = {}

        def rows() -> Iterator[ImageRow]:
            for name, photo in track(order, unit="image", label=f"read {self._job.name}"):
                data = read_photo(files[name], max_side=self._settings.max_side, quality=self._settings.jpeg_quality)
                first = stored.setdefault(sha256_bytes(data), name)
                if self._photos[first].split != photo.split:
                    leaks[name] = first
                yield ImageRow(name, data, photo.split)
            if leaks:
                example = min(leaks.items())
                log.warning("%s: %d images are in two splits, e.g. %s and %s", self._job.place, len(leaks), *example)

        self._job.write(self._settings, self.table(), rows(), answers=list(answers), in_two_splits=leaks, **facts)

    def _files(self) -> dict[str, Path]:
        """Return the file of every image."""
        files: dict[str, Path] = {}
        for name, photo in self._photos.items():
            places = (self._folder / candidate for candidate in photo.candidates)
            if (found := next((path for path in places if os.path.isfile(path)), None)) is not None:
                files[name] = found
        if missing := self._photos.keys() - files.keys():
            photo = next(photo for name, photo in self._photos.items() if name in missing)
            first = photo.candidates[0]
            raise UserError(
                f"{len(missing)} of {len(self._photos)} images are missing below {self._folder} ({self._job.place}.images), "
                f"the first is {first}{spelt_otherwise(self._folder / first)}, which {photo.where} names. "
                f"{self._settings.how_to_get}"
            )
        return files


def label_majority(items: pd.DataFrame, answers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return split → its commonest answer, and the accuracy of always giving that one."""
    found = {}
    for split, labels in items.groupby("split")["label"]:
        counts = labels.value_counts()
        found[split] = {"answer": answers[counts.idxmax()], "score": round(counts.max() / len(labels), 4)}
    return found
