"""``compactvl explain``: where a figure, a table, a number or any other file of the tree comes from."""

import json
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compactvl.command import argument, command, path_argument
from compactvl.errors import UserError
from compactvl.files import read_json
from compactvl.records.record import MANIFEST, read_record

if TYPE_CHECKING:
    from compactvl.records.explain import Chain

PER_ROW = ("metrics.csv", "metrics.json", "summary.csv")
"""Tables of which one row can be asked for."""
ROW = re.compile(r"([^/]+/[^/]+/[^/]+)/(.+?)(?:@(\d+))?")
"""``study/variant/benchmark/metric[@seed]``; a metric's own name may hold ``/`` and ``@pool10``."""
LONG_LINE = 1000


@command(
    "explain",
    "print where a figure, table, number or file comes from, back to pinned packages",
    "compactvl explain results/metrics.csv --row edje/edje/scenes/t2i_r1@0",
    path_argument(
        "paths",
        "figure, table, report, result, run, token store, data set, weights: any file or folder that was made",
        "PATH",
        nargs="+",
    ),
    argument("--metric", metavar="NAME", help="of a result: one number, e.g. t2i_r1"),
    argument(
        "--row",
        metavar="STUDY/VARIANT/BENCHMARK/METRIC[@SEED]",
        help="of metrics.csv, metrics.json or summary.csv: one number; without a seed, of all seeds",
    ),
    argument("--quick", action="store_true", help="look whether files are there, but do not hash them"),
    argument("--json", action="store_true", help="print JSON: every setting, every file, whole hashes"),
)
def _explain(args: Namespace) -> int:
    from rich.console import Console

    from compactvl.records.explain_text import chain_tree, summary

    # Where nobody looks at a terminal, lines are whole.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else LONG_LINE)
    told = [_tell(path, args) for path in args.paths]
    if args.json:
        chains = [_as_json(chain, numbers) for chain, numbers in told]
        print(json.dumps(chains if len(chains) > 1 else chains[0], indent=2, ensure_ascii=False))
    for chain, numbers in told:
        problems = chain.problems()
        if not args.json:
            for number in numbers:
                print(_number_line(number))
            console.print(chain_tree(chain))
            for line in (*summary(chain), *problems):
                print(line)
            state = "present, not hashed" if args.quick else "as recorded"
            print(f"{len(problems)} problem(s)" if problems else f"the chain is whole: every file is {state}")
    return 1 if any(chain.problems() for chain, _ in told) else 0


def _tell(path: Path, args: Namespace) -> "tuple[Chain, list[dict[str, Any]]]":
    """Return the chain of a path, and the numbers that were asked for."""
    from compactvl.dag.stages import code_now
    from compactvl.records.explain import Chain

    if args.row is None:
        chain = Chain(path, code_now, hashing=not args.quick)
        return chain, [] if args.metric is None else [_number(Path(chain.first), args.metric)]
    results, metric = _row(path, args.row)
    numbers = [_number(result, metric) for result in results]
    return Chain(path, code_now, hashing=not args.quick, only=set(map(str, results))), numbers


def _row(table: Path, row: str) -> tuple[list[Path], str]:
    """Return the results (JSON) that a row of a table was collected from, and its metric.

    Raises:
        UserError: there is none; the message names what there is instead.
    """
    from compactvl.config.base import did_you_mean

    if table.name not in PER_ROW:
        raise UserError(f"--row: {table} has no rows of metrics; give results/metrics.csv, or --metric with a result")
    match = ROW.fullmatch(row)
    if match is None:
        raise UserError(f'--row: "{row}" is not study/variant/benchmark/metric[@seed], e.g. edje/edje/scenes/t2i_r1@0')
    wanted, metric, seed = match.groups()
    known: dict[str, list[Path]] = {}
    for path in map(Path, read_record(table.with_name(MANIFEST))["inputs"]):
        known.setdefault("/".join((*path.parts[-4:-2], path.stem)), []).append(path)
    if wanted not in known:
        raise UserError(f'--row: {table} has no "{wanted}"{did_you_mean(wanted, known)}')
    chosen = [path for path in known[wanted] if seed is None or path.parent.name == f"seed{seed}"]
    if not chosen:
        seeds = ", ".join(path.parent.name.removeprefix("seed") for path in known[wanted])
        raise UserError(f"--row: {wanted} has no seed {seed}, only {seeds}")
    return chosen, metric


def _number(result: Path, metric: str) -> dict[str, Any]:
    """Return one metric of a result, with the file it is in."""
    from compactvl.config.base import did_you_mean

    body = read_json(result)
    metrics = {found["name"]: found for found in body.get("metrics", ())}
    if metric not in metrics:
        raise UserError(f'{result} has no metric "{metric}"{did_you_mean(metric, metrics)}')
    return {**metrics[metric], "file": str(result), "seed": body.get("seed")}


def _number_line(number: dict[str, Any]) -> str:
    chance = "" if number["chance"] is None else f", chance {number['chance']:.6g}"
    interval = f"[{number['low']:.6g}, {number['high']:.6g}]"
    return f"{number['name']} = {number['value']:.6g} {interval}, n {number['n']}{chance}: {number['file']}"


def _as_json(chain: "Chain", numbers: list[dict[str, Any]]) -> dict[str, Any]:
    from dataclasses import asdict

    from compactvl.records.explain_text import title

    steps = [{"title": title(step), **asdict(step)} for step in chain.steps.values()]
    return {
        "target": str(chain.target),
        "record": chain.first,
        "numbers": numbers,
        "steps": steps,
        "problems": chain.problems(),
    }
