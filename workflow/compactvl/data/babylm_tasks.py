"""BabyLM's evaluation files read as they are: BLiMP and its supplement, EWoK, VQA, Winoground.

    blimp               jsonl   sentence_good, sentence_bad, UID, field
    ewok                jsonl   Context1, Context2, Target1, Target2, Domain
    vqa                 json(l) question, target_ans, distractors (7), perhaps question_type
    babylm_winoground   jsonl   caption_0 (right), caption_1 (wrong), perhaps collapsed_tag or tag

Every item is in the split ``test``. Images, where a vector file is given, are its rows in the order of the items.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from compactvl.config.text_datasets import BabylmTaskSettings
from compactvl.data.canonical import write_set
from compactvl.data.text_lines import read_lines
from compactvl.data.user_json import read_user_json
from compactvl.data.vector_file import vector_facts, vector_id
from compactvl.errors import UserError
from compactvl.files import sha256_file

SUFFIXES = {".json", ".jsonl"}
DISTRACTORS = 7
Record = Mapping[str, Any]


def curate_babylm_task(name: str, settings: BabylmTaskSettings, folder: Path) -> None:
    """Make a set of evaluation items from one of BabyLM's files, or from a folder of them.

    Items: item_id (``<file>-<row>``), split ("test"), image_id ("" without vectors), and what the kind has:
    blimp text_good, text_bad, phenomenon, field, word_good, word_bad; ewok context_0, context_1, target_0, target_1,
    domain; vqa question, answer, distractors (JSON list), type; babylm_winoground caption_0, caption_1, kind.

    Raises:
        UserError: a missing file (says where to get it), a record without its fields (names file and record), a vector
            file of another form, or as many vectors as items not given (names both files).
    """
    started = time.monotonic()
    paths = _files(name, settings)
    reader = READERS[settings.kind]
    rows = []
    for path in paths:
        for number, where, record in read_records(path):
            rows.append({"item_id": f"{path.stem}-{number}", "split": "test", "image_id": ""})
            rows[-1] |= reader(record, where, path.stem)
    items = pd.DataFrame(rows)
    inputs = {path.name: sha256_file(path) for path in paths}
    facts: dict[str, Any] = {}
    if settings.vectors is not None:
        if not Path(settings.vectors).is_file():
            raise UserError(f"{settings.vectors} is missing (datasets.{name}.vectors). {settings.how_to_get}")
        facts["vectors"] = vector_facts([settings.vectors], settings.dim)
        fact = facts["vectors"][0]
        if fact["rows"] != len(items):
            raise UserError(
                f"{settings.path} has {len(items)} items and {settings.vectors} has {fact['rows']} vectors; "
                "they must match row by row"
            )
        items["image_id"] = [vector_id(fact["stem"], row) for row in range(len(items))]
        inputs[Path(settings.vectors).name] = fact["sha256"]
    write_set(
        folder, name, (), items, settings=settings.model_dump(mode="json"), inputs=inputs, started=started,
        text_only=True, **facts,
    )  # fmt: skip


def _files(name: str, settings: BabylmTaskSettings) -> list[Path]:
    path = Path(settings.path)
    if path.is_dir():
        found = sorted(own for own in path.iterdir() if own.suffix in SUFFIXES and own.is_file())
        if not found:
            raise UserError(f"{path} has no .json or .jsonl files (datasets.{name}.path). {settings.how_to_get}")
        return found
    if not path.is_file():
        raise UserError(f"{path} is missing (datasets.{name}.path). {settings.how_to_get}")
    return [path]


def read_records(path: Path) -> Iterator[tuple[int, str, Record]]:
    """Yield (number from 0, place for messages, record) of a jsonl file or of a JSON list; empty lines are skipped.

    Raises:
        UserError: not UTF-8, not JSON, not objects, or none; names the line or row.
    """
    number = 0
    for where, record in _rows(path):
        if not isinstance(record, dict):
            raise UserError(f"{where} is not a JSON object with fields; give the file as it is distributed")
        yield number, where, record
        number += 1
    if not number:
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
                yield f"{path} line {line}", json.loads(text)
            except (RecursionError, ValueError) as error:
                raise UserError(f"{path} line {line} is not JSON ({error}); get the file again") from error


def different_words(good: str, bad: str) -> tuple[str, str]:
    """Return the one word in which two texts differ, of each; empty where they differ in more or in length.

    >>> different_words("He was here.", "He were here."), different_words("Go on.", "Go.")
    (('was', 'were'), ('', ''))
    """
    one, other = good.split(" "), bad.split(" ")
    pairs = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return pairs[0] if len(one) == len(other) and len(pairs) == 1 else ("", "")


def _text(record: Record, field: str, where: str) -> str:
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise UserError(f"{where}: field {field!r} is {'missing' if field not in record else f'{value!r}, no text'}")
    return " ".join(value.split())


def _optional(record: Record, *fields: str) -> str:
    return next((str(record[field]) for field in fields if record.get(field) not in (None, "")), "")


def _blimp(record: Record, where: str, stem: str) -> dict[str, str]:
    good, bad = _text(record, "sentence_good", where), _text(record, "sentence_bad", where)
    word_good, word_bad = different_words(good, bad)
    return {
        "text_good": good,
        "text_bad": bad,
        # The supplement's files have no UID: a file is a phenomenon.
        "phenomenon": _optional(record, "UID") or stem,
        "field": _optional(record, "field"),
        "word_good": word_good,
        "word_bad": word_bad,
    }


def _ewok(record: Record, where: str, stem: str) -> dict[str, str]:
    return {
        "context_0": _text(record, "Context1", where),
        "context_1": _text(record, "Context2", where),
        "target_0": _text(record, "Target1", where),
        "target_1": _text(record, "Target2", where),
        "domain": _text(record, "Domain", where),
    }


def _vqa(record: Record, where: str, stem: str) -> dict[str, str]:
    distractors = record.get("distractors")
    if not isinstance(distractors, list) or len(distractors) != DISTRACTORS:
        raise UserError(f"{where}: field 'distractors' is not a list of {DISTRACTORS} answers")
    if not all(isinstance(one, str) and one.strip() for one in distractors):
        raise UserError(f"{where}: field 'distractors' has an answer that is no text")
    return {
        "question": _text(record, "question", where),
        "answer": _text(record, "target_ans", where),
        "distractors": json.dumps([" ".join(one.split()) for one in distractors], ensure_ascii=False),
        "type": _optional(record, "question_type", "answer_type"),
    }


def _winoground(record: Record, where: str, stem: str) -> dict[str, str]:
    return {
        "caption_0": _text(record, "caption_0", where),
        "caption_1": _text(record, "caption_1", where),
        "kind": _optional(record, "collapsed_tag", "tag"),
    }


READERS: dict[str, Callable[[Record, str, str], dict[str, str]]] = {
    "blimp": _blimp,
    "ewok": _ewok,
    "vqa": _vqa,
    "babylm_winoground": _winoground,
}
