"""JSON and text files that the user brings: what is wrong is told with its line; they are never to be deleted."""

import json
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compactvl.errors import UserError


def parse_json(text: str) -> Any:
    """Parse JSON; half of a surrogate pair (an emoji cut in two), which no UTF-8 text can hold, becomes U+FFFD.

    Raises:
        ValueError: not JSON, a key twice in one object, or a number of thousands of digits.
        RecursionError: brackets without end.
    """
    value = json.loads(text, object_pairs_hook=_once)
    if "\\ud" in text or "\\uD" in text:
        value = json.loads(whole_letters(json.dumps(value, ensure_ascii=False)), object_pairs_hook=_once)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {key!r} is there twice")
    return found


def whole_letters(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair, which no UTF-8 text can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def one_line(text: str, where: str) -> str:
    """Return a text, its words separated by single spaces.

    Raises:
        UserError: it has a NUL character; ``where`` says of what.
    """
    if "\0" in text:
        raise UserError(f"{where} has a NUL character; is this a text file, saved as UTF-8? Delete it there")
    return " ".join(text.split())


def spelt_otherwise(path: Path) -> str:
    """Return in brackets the file whose name differs from a missing one's only in capitals or in how accents are stored."""

    def plain(name: str) -> str:
        return unicodedata.normalize("NFC", name).casefold()

    try:
        beside = os.listdir(path.parent)
    except (OSError, ValueError):  # ValueError: a NUL character
        beside = []
    near = sorted(name for name in beside if name != path.name and plain(name) == plain(path.name))
    return f" (there is {near[0]!a}, spelt otherwise)" if near else ""


def read_user_json(path: Path) -> Any:
    """Read a JSON file of the user's own.

    Raises:
        UserError: missing, not UTF-8, or not JSON; names the line.
    """
    text = read_text(path)
    try:
        return parse_json(text)
    except json.JSONDecodeError as error:
        place = f"{path} line {error.lineno} column {error.colno}"
        raise UserError(f"{place} is not JSON ({error.msg}); mend it there or get the file again") from error
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits
        raise UserError(f"{path} is not JSON ({error}); get the file again") from error


def read_text(path: Path) -> str:
    """Read a text file of the user's own.

    Raises:
        UserError: missing, or not UTF-8; names the line.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; put the file there") from error
    except UnicodeDecodeError as error:
        line = len((error.object[: error.start] + b"?").splitlines())
        raise UserError(f"{path} line {line} is not UTF-8; save the file as UTF-8") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of every line, its words separated by single spaces. Lines end in LF, CR LF or CR.

    Raises:
        UserError: unreadable, not UTF-8, or a NUL character; names file and line.
    """
    try:
        with path.open("rb") as file:
            lines = (line for part in file for line in part.splitlines())
            for number, line in enumerate(lines, start=1):
                yield number, one_line(line.decode("utf-8").removeprefix("\ufeff"), f"{path} line {number}")
    except UnicodeDecodeError as error:
        place = f"{path} line {number}"
        raise UserError(f"{place} is not UTF-8 (byte {error.start} of the line); save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
