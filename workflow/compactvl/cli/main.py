"""``compactvl <command> ...``: every stage of the pipeline, and tools around it.

The rules of the Snakefile call these commands and nothing else, so every job can be copied to a terminal.
"""

import argparse
import contextlib
import importlib
import importlib.util
import io
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from compactvl import __version__, logs
from compactvl.command import Command
from compactvl.errors import UserError, first_line
from compactvl.files import FULL_DISK

MODULES = ("data", "tokens", "runs", "reports", "config", "verify", "explain", "restore")
EXIT_USER_ERROR = 2
EXIT_INTERRUPTED = 130


def commands() -> list[Command]:
    """Return all commands: the program's own, then each study's."""
    modules = [importlib.import_module(f"compactvl.cli.{name}") for name in MODULES]
    modules += map(_load, sorted((Path(__file__).parent.parent / "studies").glob("*/commands.py")))
    return [found for module in modules for found in vars(module).values() if isinstance(found, Command)]


def _load(path: Path) -> ModuleType:
    """Load a study's command module by its file, so that the study itself is not imported for ``--help``."""
    spec = importlib.util.spec_from_file_location(f"compactvl_commands_{path.parent.name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build_parser(found: Sequence[Command]) -> argparse.ArgumentParser:
    """Return the parser of the given commands."""
    parser = argparse.ArgumentParser(
        prog="compactvl",
        description="Reference benchmark pipeline for compact discriminative vision-language models.",
        epilog="All stages in order: snakemake --cores all. Help on a command: compactvl <command> --help",
    )
    parser.add_argument("--version", action="version", version=f"compactvl {__version__}")
    _add_log_level(parser, "info")
    subparsers = parser.add_subparsers(title="commands", metavar="<command>", required=True)
    groups: dict[str, argparse._SubParsersAction] = {}
    for command in found:
        group, _, name = command.name.rpartition(" ")
        if group and group not in groups:
            titles = [other.name.rpartition(" ")[2] for other in found if other.name.rpartition(" ")[0] == group]
            outer = subparsers.add_parser(group, help=", ".join(titles), description=f"{group}: {', '.join(titles)}")
            groups[group] = outer.add_subparsers(title="commands", metavar="<command>", required=True)
        target = groups[group] if group else subparsers
        inner = target.add_parser(
            name,
            help=command.help,
            description=f"{command.help[0].upper()}{command.help[1:]}.",
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_log_level(inner, argparse.SUPPRESS)
        for declare in command.arguments:
            declare(inner)
        inner.set_defaults(command=command)
    return parser


def _add_log_level(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("--log-level", choices=logs.LEVELS, default=default, help="how much is logged (default: info)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0, 2 for what the user can mend, 130 when interrupted."""
    _open_streams()
    try:
        try:
            args = build_parser(commands()).parse_args(arguments)
            logs.set_up(args.log_level)
            # A scheduler's stop unwinds like Ctrl-C, so temporary files go away.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            return args.command.run(args) or 0
        finally:
            sys.stdout.flush()  # here, where it is told if that fails
    except UserError as error:
        for line in str(error).splitlines() or ["unknown"]:
            print(f"error: {line}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_output()  # the reader (head, less) has gone: nobody is left to tell
        return 0
    except OSError as error:
        if error.errno not in FULL_DISK:
            raise
        _drop_output()
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror}{where}; free some space and run again", file=sys.stderr)
        return EXIT_USER_ERROR
    except (MemoryError, RuntimeError) as error:
        if not (isinstance(error, MemoryError) or re.search("out of memory|can't allocate memory", str(error))):
            raise
        print(
            f"error: out of memory ({first_line(error)}); run fewer jobs at a time, or smaller batches", file=sys.stderr
        )
        return EXIT_USER_ERROR
    finally:
        logging.shutdown()


def _drop_output() -> None:
    """Write nothing more to where nothing can be written: Python would try again as it ends."""
    with contextlib.suppress(OSError):  # a stream of its own making, in a test
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_streams() -> None:
    """Have a place for what is printed, also where it was closed, and a spelling of what its encoding lacks."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
