"""What a command of the console program is.

A command module lists its commands as ``COMMANDS``. It must import fast: whatever is heavy is imported by ``run``.
A study adds commands of its own by a module ``studies/<name>/commands.py`` of the same form.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One subcommand.

    Attributes:
        name: as typed, e.g. ``train``; two words for a nested one, e.g. ``tokens info``.
        help: one line.
        example: a command line that works, shown at the end of ``--help``.
        add_arguments: declares the arguments.
        run: does it, given the parsed arguments; may return an exit code.
    """

    name: str
    help: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]
