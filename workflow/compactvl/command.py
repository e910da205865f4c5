"""What a command of the console program is.

A command module's commands are its functions under :func:`command`, in their order. It must import fast: whatever is
heavy is imported by the function. A study adds commands of its own by a module ``studies/<name>/commands.py`` of the same
form.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Argument = Callable[[ArgumentParser], Any]
Run = Callable[[Namespace], int | None]


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes:
        name: as typed, e.g. ``train``; two words for a nested one, e.g. ``tokens info``.
        help: one line.
        example: a command line that works, shown at the end of ``--help``.
        arguments: each declares one.
        run: does it, given the parsed arguments; may return an exit code.
    """

    name: str
    help: str
    example: str
    arguments: tuple[Argument, ...]
    run: Run


def command(name: str, help: str, example: str, *arguments: Argument) -> Callable[[Run], Command]:
    """Make the function below a :class:`Command`."""
    return lambda run: Command(name, help, example, arguments, run)


def argument(*names: str, **options: Any) -> Argument:
    """Return an argument, as ``ArgumentParser.add_argument`` takes it."""
    return lambda parser: parser.add_argument(*names, **options)


def path_argument(name: str, help: str, metavar: str = "FILE", **options: Any) -> Argument:
    """Return an argument that is the path of a file or folder."""
    return argument(name, type=Path, help=help, metavar=metavar, **options)
