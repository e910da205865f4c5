"""``compactvl verify``: every record of the tree, its files, and what it was made from."""

import argparse
from pathlib import Path

from compactvl.command import Command
from compactvl.records.layout import Layout


def _arguments(parser: argparse.ArgumentParser) -> None:
    default = " ".join(map(str, Layout().made))
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help=f"default: {default}")


def _verify(args: argparse.Namespace) -> int:
    from compactvl.errors import UserError
    from compactvl.records.verify import verify

    for folder in args.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder")
    problems, records, files = verify(args.folders or Layout().made, Layout())
    for problem in problems:
        print(problem)
    outcome = f"{len(problems)} problem(s)" if problems else "every file is as recorded, every step is up to date"
    print(f"{records} records, {files} files: {outcome}")
    if problems:
        print(
            "to mend a file: delete the record beside it and run `snakemake RECORD`, or restore both; what is stale: snakemake"
        )
    return 1 if problems else 0


COMMANDS = [
    Command(
        "verify",
        "check data sets, weights, tokens, runs and results against their records, and each step against its inputs",
        "compactvl verify runs results",
        _arguments,
        _verify,
    )
]
