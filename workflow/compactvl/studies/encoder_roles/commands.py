"""``compactvl roles``: the report on scores that were made elsewhere."""

from argparse import Namespace
from pathlib import Path

from compactvl.command import argument, command, path_argument


@command(
    "roles",
    "report what each encoder of a pool is worth, from scores made elsewhere",
    "compactvl roles --scores cambrian.csv --out elsewhere",
    path_argument(
        "--scores",
        "CSV with the columns subset (encoders joined by +, or blind), area, benchmark, score; and view (retrained, zero or "
        "mean), where masked scores are in it too",
        required=True,
    ),
    argument("--control", default="", metavar="ENCODER", help="an encoder that knows nothing, if the pool has one"),
    path_argument("--notebook", "the report", default=Path("reports/encoder_roles.py")),
    path_argument("--style", "matplotlib style sheet", default=Path("reports/paper.mplstyle")),
    path_argument("--out", "folder for the HTML, its figures and tables", "FOLDER", required=True),
)
def _roles(args: Namespace) -> None:
    from compactvl.reporting.render import render
    from compactvl.studies.encoder_roles.report.scores import read_csv

    read_csv(args.scores)  # what is wrong with it is said before a notebook starts
    parameters = {
        "scores": str(args.scores),
        "out": str(args.out / "figures"),
        "style": str(args.style),
        "control": args.control,
    }
    render(args.notebook, args.out / "encoder_roles.ipynb", args.out / "encoder_roles.html", parameters)
