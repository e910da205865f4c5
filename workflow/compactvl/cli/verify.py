"""``compactvl verify``: every record of the tree, its files, and what it was made from."""

import argparse
from pathlib import Path

from compactvl.command import Command

DEFAULT = ("data/sets", "cache/weights", "cache/tokens", "cache/texts", "runs", "results")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help=f"default: {' '.join(DEFAULT)}")


def _verify(args: argparse.Namespace) -> int:
    from compactvl.errors import UserError
    from compactvl.progress import track
    from compactvl.records.verify import find_records, problems_of, unrecorded

    for folder in args.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder")
    folders = args.folders or [Path(name) for name in DEFAULT]
    records = find_records(folders)
    if not records:
        raise UserError("nothing to verify: no manifest found; run snakemake first")
    problems: list[str] = []
    hashed: dict[Path, str] = {}
    for record in track(records, unit="record", label="verify"):
        problems += problems_of(record, hashed)
    problems += unrecorded(folders, records)
    for problem in problems:
        print(problem)
    outcome = f"{len(problems)} problem(s)" if problems else "every file is as recorded, every step is up to date"
    print(f"{len(records)} records, {len(hashed)} files: {outcome}")
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
