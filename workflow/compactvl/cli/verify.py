"""``compactvl verify``: every record of the tree, its files, and what it was made from."""

from argparse import Namespace

from compactvl.command import command, path_argument
from compactvl.errors import UserError
from compactvl.records.layout import Layout


@command(
    "verify",
    "check data sets, weights, tokens, runs and results against their records, and each step against its inputs",
    "compactvl verify runs results",
    path_argument("folders", f"default: {' '.join(map(str, Layout().made))}", "FOLDER", nargs="*"),
)
def _verify(args: Namespace) -> int:
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
