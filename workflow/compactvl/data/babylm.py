"""BabyLM's evaluation files read as they are: the base of the kinds that are one ``.json`` or ``.jsonl`` record an item.

Every item is in the split ``test``. Images, where a vector file is given, are its rows in the order of the items.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from compactvl.data.curate import Curation
from compactvl.data.kind import Count, DataKind, FilePath, files_in
from compactvl.data.user_files import one_line, parse_json, read_lines, read_user_json
from compactvl.errors import UserError

GET_BABYLM = "The BabyLM challenge gives it at https://osf.io/ad7qg (see https://babylm.github.io)."
Record = Mapping[str, Any]
log = logging.getLogger(__name__)


class BabylmTask(DataKind):
    """Base of the kinds of evaluation items that BabyLM distributes; each says what a record's columns are."""

    path: FilePath = Field(description="The file, or the folder whose files are read in the order of their names.")
    vectors: str | None = Field(
        None, description=".npy file (items, 768) of image vectors in the order of the items; null gives no images."
    )
    dim: Count = Field(768, description="Length of an image vector.")
    how_to_get: str = Field(
        GET_BABYLM, min_length=1, description="Where the files come from; shown when one is missing."
    )

    def columns(self, record: Record, where: str, stem: str) -> dict[str, str]:
        """Return the columns of one record's item, besides item_id, split and image_id.

        Raises:
            UserError: it lacks a field; ``where`` names file and record, ``stem`` is the file's name without suffix.
            ValueError: a field is wrong; the caller names file and record.
        """
        raise TypeError(f"data kind {self.kind} does not say what a record's columns are")

    def own_files(self) -> list[tuple[str, str]]:
        """Return the record files, and the vector file if there is one."""
        vectors = [] if self.vectors is None else [("vectors", self.vectors)]
        return [*(("path", path) for path in files_in(self.path, "*.json", "*.jsonl")), *vectors]

    def curate(self, job: Curation) -> None:
        """Make a set of evaluation items: item_id (``<file>-<row>``), split, image_id ("" without vectors), columns.

        Raises:
            UserError: a file or a record is wrong, or two files have one name.
        """
        import pandas as pd

        from compactvl.data.vector_file import row_ids, vector_facts

        paths = [Path(path) for field, path in self.own_files() if field == "path"]
        check_stems(paths)
        rows = []
        for path in paths:
            for number, where, record in read_records(path):
                try:
                    columns = self.columns(record, where, path.stem)
                except ValueError as error:
                    raise UserError(f"{where}: {error}; get the file again") from None
                rows.append({"item_id": f"{path.stem}-{number}", "split": "test", "image_id": "", **columns})
        items = pd.DataFrame(rows)
        facts: dict[str, Any] = {}
        if self.vectors is not None:
            facts["vectors"] = vector_facts([self.vectors], self.dim)
            items["image_id"] = row_ids(facts["vectors"], len(items), f"{self.path} has {{}} items")
        job.write(self, items, text_only=True, **facts)


def check_stems(paths: Iterable[Path]) -> None:
    """Check that item ids, which begin with a file's name without suffix, are different.

    Raises:
        UserError: two files have the same name but for folder and suffix; names both.
    """
    seen: dict[str, Path] = {}
    for path in paths:
        if seen.setdefault(path.stem, path) is not path:
            raise UserError(f"items of {seen[path.stem]} and {path} would have the same ids; rename one of the files")


def read_records(path: Path) -> Iterator[tuple[int, str, Record]]:
    """Yield (number from 0, place for messages, record) of a jsonl file or of a JSON list; empty lines are skipped.

    Raises:
        UserError: not UTF-8, not JSON, not objects, or none; names the line or row.
    """
    number = -1
    for number, (where, record) in enumerate(_rows(path)):
        if not isinstance(record, dict):
            raise UserError(f"{where} is not a JSON object with fields; give the file as it is distributed")
        yield number, where, record
    if number < 0:
        raise UserError(f"{path} has no records; get the file again")


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".json":
        body = read_user_json(path)
        if not isinstance(body, list):
            raise UserError(f"{path} is not a JSON list; give the file as it is distributed")
        yield from ((f"{path} row {row}", record) for row, record in enumerate(body))
        return
    for line, text in read_lines(path):
        if text:
            try:
                yield f"{path} line {line}", parse_json(text)
            except (RecursionError, ValueError) as error:
                raise UserError(f"{path} line {line} is not JSON ({error}); get the file again") from error


def text_of(record: Record, field: str, where: str) -> str:
    """Return a field's text, its words separated by single spaces.

    Raises:
        UserError: it is missing, no text, or has a NUL character; ``where`` says of which record.
    """
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: field {field!r} is {'missing' if field not in record else f'{value!r}, no text'}")
    return one_line(value, f"{where}: field {field!r}")


def first_of(record: Record, *fields: str) -> str:
    """Return the first of the fields that has a value, its words separated by single spaces, or an empty text.

    Raises:
        ValueError: it is neither text nor number, or has a NUL character.
    """
    field = next((field for field in fields if record.get(field) not in (None, "")), None)
    value = "" if field is None else record[field]
    if isinstance(value, bool) or not isinstance(value, str | int | float) or "\0" in str(value):
        raise ValueError(f"field {field!r} is {value!r}, neither text nor number")
    return " ".join(str(value).split())


def warn_of(where: str, why: str) -> None:
    """Say that an item counts as wrong whatever the model."""
    log.warning("%s: %s, so no model can be right", where, why)
