"""Text files that the user brings, line by line."""

from collections.abc import Iterator
from pathlib import Path

from compactvl.errors import UserError

BYTE_ORDER_MARK = "\ufeff"


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
