"""``compactvl collect | params | report | index``: from results to what people read."""

import argparse
import sys
import time
from pathlib import Path

from compactvl.cli.arguments import add_configfiles, add_out
from compactvl.command import Command


def _collect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument(
        "--only",
        type=Path,
        metavar="FILE",
        help="JSON list of the results to take; the others in the folder are left out",
    )
    parser.add_argument("--study", help="only this study, into results/<study>/metrics.csv")


def _collect(args: argparse.Namespace) -> None:
    from compactvl.dag.identity import table_made
    from compactvl.evaluation.collect import collect, find_results
    from compactvl.files import read_json

    results = find_results(args.results, args.study) if args.only is None else read_json(args.only)
    collect(args.results, table_made(args.only, results), args.study)


def _params_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="name of the study, e.g. edje")
    add_configfiles(parser)
    parser.add_argument(
        "--settings", type=Path, nargs="+", metavar="FILE", help="settings files of its variants, instead of the config"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: standard output)")


def _params(args: argparse.Namespace) -> None:
    from compactvl.config.base import did_you_mean
    from compactvl.config.overlay import DEFAULT_CONFIG, load_config
    from compactvl.dag.identity import parameters_made
    from compactvl.dag.plan import Plan
    from compactvl.errors import UserError
    from compactvl.files import atomic_path, read_json
    from compactvl.records.record import write
    from compactvl.studies.jobs import parameter_table
    from compactvl.studies.study import find_study

    if args.settings:
        study = find_study(args.study, "study")
        variants = study.revive({path.stem: read_json(path) for path in args.settings}, "--settings")
    else:
        plan = Plan(load_config(args.configfile))
        if args.study not in plan.studies:
            raise UserError(f'study "{args.study}" is not in the config{did_you_mean(args.study, plan.studies)}')
        study, variants = plan.studies[args.study].study, plan.studies[args.study].variants
    made = parameters_made(variants.values(), args.settings or [DEFAULT_CONFIG, *args.configfile])
    text = parameter_table(variants).to_csv(index=False, lineterminator="\n")
    if args.out is None:
        sys.stdout.write(text)
        return
    with atomic_path(args.out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    write(args.out.with_suffix(".json"), made, [args.out], study=study.name)


def _report_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--notebook", type=Path, required=True, metavar="FILE", help="jupytext notebook, reports/<study>.py"
    )
    parser.add_argument("--style", type=Path, required=True, metavar="FILE", help="matplotlib style sheet")
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument(
        "--executed", type=Path, required=True, metavar="FILE", help="where to write the executed notebook"
    )
    parser.add_argument(
        "--inputs",
        type=Path,
        metavar="FILE",
        help="JSON list of the files the notebook may read, for the report's record",
    )
    add_out(parser, "the HTML")


def _report(args: argparse.Namespace) -> None:
    begun = time.time()
    from compactvl.dag.identity import report_made
    from compactvl.records.intact import check_made
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


def _index_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    add_out(parser, "the HTML")


def _index(args: argparse.Namespace) -> None:
    from compactvl.dag.identity import index_made
    from compactvl.reporting.index import write_index

    write_index(args.results, args.out, index_made(args.results, args.out))


COMMANDS = [
    Command(
        "collect",
        "gather all results into results/metrics.csv and metrics.json",
        "compactvl collect",
        _collect_arguments,
        _collect,
    ),
    Command(
        "params",
        "print the number of parameters of every variant's parts as CSV",
        "compactvl params edje --configfile config/paper.yaml",
        _params_arguments,
        _params,
    ),
    Command(
        "report",
        "run a study's notebook and write it as HTML",
        "compactvl report --notebook reports/edje.py --style reports/paper.mplstyle --study edje "
        "--executed logs/report/edje.ipynb --out results/reports/edje.html",
        _report_arguments,
        _report,
    ),
    Command(
        "index",
        "write the page that links reports, figures and the table of metrics",
        "compactvl index --out results/reports/index.html",
        _index_arguments,
        _index,
    ),
]
