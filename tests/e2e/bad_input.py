"""What the tests of bad input share: a command that must be refused, and what it must not leave behind."""

import hashlib
import os
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from compactvl.cli import main as program


def listing(folder: Path) -> dict[str, str]:
    """Return every path below a folder, hidden ones too, with the hash of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in folder.rglob("*")
    }


def refused(capsys: pytest.CaptureFixture, *arguments: Any, lines: int = 1) -> str:
    """Run ``compactvl ARGUMENTS`` in the current folder, which must refuse them.

    Exit code 2, so many lines on standard error, all of the form ``error: ...``, and every file as it was before.

    Returns:
        The lines, without ``error: ``.
    """
    before = listing(Path.cwd())
    capsys.readouterr()
    code = program.main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert code == 2, f"accepted\n{shown.out}{shown.err}"
    told = shown.err.splitlines()
    assert len(told) == lines, shown.err
    assert all(line.startswith("error: ") for line in told), shown.err
    after = listing(Path.cwd())
    assert after == before, f"left behind: {sorted(after.items() ^ before.items())}"
    return "\n".join(line.removeprefix("error: ") for line in told)


def told(message: str, wanted: Sequence[str]) -> None:
    """Check that a message has every wanted part."""
    missing = [part for part in wanted if part not in message]
    assert not missing, f"{missing} not in: {message}"


class Trap:
    """Unpickling it makes a file: proof that code was executed."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable, tuple]:
        return os.mkdir, (self.path,)

    def pickled(self) -> bytes:
        return pickle.dumps(self, protocol=2)
