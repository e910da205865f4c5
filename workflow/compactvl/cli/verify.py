"""``compactvl verify``: every file of the tree against its manifest."""

import argparse
from pathlib import Path

from compactvl.cli.command import Command

DEFAULT = ("data/sets", "cache/weights", "cache/tokens", "cache/texts", "runs", "results")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", type=Path, nargs="*", metavar="FOLDER", help=f"default: {' '.join(DEFAULT)}")


def _verify(args: argparse.Namespace) -> int:
    from compactvl.errors import UserError
    from compactvl.progress import track
    from compactvl.verification import find_records, problems_of

    for folder in args.folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder")
    records = find_records(args.folders or [Path(name) for name in DEFAULT])
    if not records:
        raise UserError("nothing to verify: no manifest found; run snakemake first")
    problems = []
    for record in track(records, unit="manifest", label="verify"):
        problems += problems_of(record)
    for problem in problems:
        print(problem)
    print(f"{len(records)} manifests: {f'{len(problems)} problem(s)' if problems else 'every file is as recorded'}")
    return 1 if problems else 0


COMMANDS = [
    Command(
        "verify",
        "check data sets, weights, tokens, runs and results against their manifests",
        "compactvl verify runs results",
        _arguments,
        _verify,
    )
]
