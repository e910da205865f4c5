"""``compactvl collect | params | report | index``: from results to what people read."""

import sys
import time
from argparse import Namespace
from pathlib import Path

from compactvl.cli.arguments import CONFIGFILES, out
from compactvl.command import argument, command, path_argument
from compactvl.errors import UserError
from compactvl.files import atomic_path, read_json
from compactvl.records.intact import check_made
from compactvl.records.record import write

RESULTS = path_argument("--results", "default: results", "FOLDER", default=Path("results"))


@command(
    "collect",
    "gather all results into results/metrics.csv, metrics.json and summary.csv; or one study's into its metrics.csv",
    "compactvl collect",
    RESULTS,
    path_argument("--only", "JSON list of the results to take; the others in the folder are left out"),
    argument("--study", help="only this study, into results/<study>/metrics.csv"),
)
def _collect(args: Namespace) -> None:
    from compactvl.dag.identity import table_made
    from compactvl.evaluation.collect import collect, find_results

    results = find_results(args.results, args.study) if args.only is None else read_json(args.only)
    collect(args.results, table_made(args.only, results), args.study)


@command(
    "params",
    "print the number of parameters of every variant's parts as CSV",
    "compactvl params edje --configfile config/paper.yaml",
    argument("study", help="name of the study, e.g. edje"),
    CONFIGFILES,
    path_argument("--settings", "settings files of its variants, instead of the config", nargs="+"),
    path_argument("--out", "file to write (default: standard output)"),
)
def _params(args: Namespace) -> None:
    from compactvl.config.base import did_you_mean
    from compactvl.config.overlay import DEFAULT_CONFIG, load_config
    from compactvl.dag.identity import parameters_made
    from compactvl.dag.plan import Plan
    from compactvl.studies.jobs import parameter_table
    from compactvl.studies.study import find_study

    if args.settings:
        study = find_study(args.study, "study")
        variants = study.revive({path.stem: read_json(path) for path in args.settings}, "--settings")
    else:
        plan = Plan(load_config(args.configfile))
        if args.study not in plan.studies:
            raise UserError(f'study "{args.study}" is not in the config{did_you_mean(args.study, plan.studies)}')
        variants = plan.studies[args.study].variants
    made = parameters_made(variants.values(), args.settings or [DEFAULT_CONFIG, *args.configfile])
    text = parameter_table(variants).to_csv(index=False, lineterminator="\n")
    if args.out is None:
        sys.stdout.write(text)
        return
    with atomic_path(args.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write(args.out.with_suffix(".json"), made, [args.out], study=args.study)


@command(
    "report",
    "run a study's notebook and write it as HTML",
    "compactvl report --notebook reports/edje.py --style reports/paper.mplstyle --study edje "
    "--executed logs/report/edje.ipynb --out results/reports/edje.html",
    path_argument("--notebook", "jupytext notebook, reports/<study>.py", required=True),
    path_argument("--style", "matplotlib style sheet", required=True),
    argument("--study", required=True, help="name of the study"),
    path_argument("--executed", "where to write the executed notebook", required=True),
    path_argument("--inputs", "JSON list of the files the notebook may read, for the report's record"),
    out("the HTML"),
)
def _report(args: Namespace) -> None:
    begun = time.time()
    from compactvl.dag.identity import report_made
    from compactvl.reporting.render import record_report, render

    made = report_made(args.notebook, args.style, args.inputs)
    for path in map(Path, made.inputs):
        # Data sets and token stores are checked where the notebook opens them, metrics.csv too.
        if path.parts[0] in ("runs", "results") and path.suffix == ".json":
            check_made(path)
        elif path.name == "parameters.csv":
            check_made(path.with_suffix(".json"))
    render(args.notebook, args.executed, args.out, parameters={"study": args.study, "style": str(args.style)})
    record_report(args.out, args.study, made, begun)


@command(
    "index",
    "write the page that links reports, figures and the table of metrics",
    "compactvl index --out results/reports/index.html",
    RESULTS,
    out("the HTML"),
)
def _index(args: Namespace) -> None:
    from compactvl.dag.identity import index_made
    from compactvl.reporting.index import write_index

    write_index(args.results, args.out, index_made(args.results, args.out))
