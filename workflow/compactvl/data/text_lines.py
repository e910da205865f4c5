"""Text files of one sample a line, as BabyLM's text corpora: ``bnc_spoken.train``, ``childes.train`` and so on.

The split is a seeded hash of the line's text: equal lines ("Yeah .") are always in the same split, so no held-out line
was trained on, and adding a file moves no line of another.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from compactvl.config.text_datasets import TextLinesSettings
from compactvl.data.canonical import write_set
from compactvl.data.folder import split_by_ratio
from compactvl.data.tagger import load_tagger
from compactvl.data.text_audit import audit_texts
from compactvl.errors import UserError
from compactvl.files import sha256_file

BYTE_ORDER_MARK = "\ufeff"


def curate_text_lines(name: str, settings: TextLinesSettings, folder: Path) -> None:
    """Make a text set from a folder of text files.

    Items: item_id (``<file>:<line>``), split, document (file name), text, pos ("" without a tagger). Empty lines are
    skipped and counted.

    Raises:
        UserError: no folder or no file (says where to get them), a line that is not UTF-8, or no such tagger.
    """
    started = time.monotonic()
    root = Path(settings.path)
    if not root.is_dir():
        raise UserError(f"the folder {root} is missing (datasets.{name}.path). {settings.how_to_get}")
    paths = sorted(path for path in root.glob(settings.pattern) if path.is_file())
    if not paths:
        raise UserError(f"{root} has no files {settings.pattern} (datasets.{name}.pattern). {settings.how_to_get}")
    tagger: Callable[[str], str] | None = None
    if settings.tagger is not None:
        tagger = load_tagger(settings.tagger, f"datasets.{name}.tagger")
    columns: dict[str, list[str]] = {column: [] for column in ("item_id", "split", "document", "text", "pos")}
    lines, empty = {}, {}
    for path in paths:
        lines[path.name] = empty[path.name] = 0
        for number, text in read_lines(path):
            lines[path.name] += 1
            if not text:
                empty[path.name] += 1
                continue
            split = split_by_ratio(text.lower(), settings.ratios, settings.seed)
            row = (f"{path.name}:{number}", split, path.name, text, tagger(text) if tagger else "")
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    items = pd.DataFrame(columns)
    if items.empty:
        raise UserError(f"the files {settings.pattern} of {root} have no text (datasets.{name}); check them")
    write_set(
        folder, name, (), items, settings=settings.model_dump(mode="json"),
        inputs={path.name: sha256_file(path) for path in paths}, started=started,
        text_only=True, lines=lines, empty=empty, audit=audit_texts(name, items, ("text",)),
    )  # fmt: skip


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of every line, its words separated by single spaces.

    Raises:
        UserError: unreadable, or not UTF-8; names file and line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield number, " ".join(line.decode("utf-8").removeprefix(BYTE_ORDER_MARK).split())
                except UnicodeDecodeError as error:
                    raise UserError(
                        f"{path} line {number} is not UTF-8 (byte {error.start} of the line); save the file as UTF-8"
                    ) from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
