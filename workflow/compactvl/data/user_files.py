"""JSON and text files that the user brings: what is wrong is told with its line; they are never to be deleted."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compactvl.errors import UserError


def parse_json(text: str) -> Any:
    """Parse JSON; half of a surrogate pair (an emoji cut in two), which no UTF-8 text can hold, becomes U+FFFD.

    Raises:
        ValueError: not JSON, or a number of thousands of digits.
        RecursionError: brackets without end.
    """
    value = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        text = json.dumps(value, ensure_ascii=False)
        value = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def read_user_json(path: Path) -> Any:
    """Read a JSON file of the user's own.

    Raises:
        UserError: missing, not UTF-8, or not JSON; names the line.
    """
    try:
        return parse_json(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; put the file there") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(f"{path} line {line} is not UTF-8; save the file as UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"{path} line {error.lineno} column {error.colno}"
        raise UserError(f"{place} is not JSON ({error.msg}); mend it there or get the file again") from error
    except (RecursionError, ValueError) as error:  # brackets without end, a number of thousands of digits
        raise UserError(f"{path} is not JSON ({error}); get the file again") from error


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of every line, its words separated by single spaces.

    Raises:
        UserError: unreadable, or not UTF-8; names file and line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield number, " ".join(line.decode("utf-8").removeprefix("\ufeff").split())
    except UnicodeDecodeError as error:
        place = f"{path} line {number}"
        raise UserError(f"{place} is not UTF-8 (byte {error.start} of the line); save the file as UTF-8") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
