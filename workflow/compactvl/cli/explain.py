"""``compactvl explain``: where a figure, a table, a number or any other file of the tree comes from."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compactvl.command import Command

if TYPE_CHECKING:
    from compactvl.records.explain import Chain

PER_ROW = ("metrics.csv", "metrics.json", "summary.csv")
"""Tables of which one row can be asked for."""
LONG_LINE = 1000


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="figure, table, report, result, run, token store, data set, weights: any file or folder that was made",
    )
    parser.add_argument("--metric", metavar="NAME", help="of a result: one number, e.g. t2i_r1")
    parser.add_argument(
        "--row",
        metavar="STUDY/VARIANT/BENCHMARK/METRIC[@SEED]",
        help="of metrics.csv, metrics.json or summary.csv: one number; without a seed, of all seeds",
    )
    parser.add_argument("--quick", action="store_true", help="look whether files are there, but do not hash them")
    parser.add_argument("--json", action="store_true", help="print JSON: every setting, every file, whole hashes")


def _explain(args: argparse.Namespace) -> int:
    import json

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


def _tell(path: Path, args: argparse.Namespace) -> "tuple[Chain, list[dict[str, Any]]]":
    """Return the chain of a path, and the numbers that were asked for."""
    from compactvl.dag.stages import code_now
    from compactvl.errors import UserError
    from compactvl.records.explain import Chain

    if args.metric is None and args.row is None:
        return Chain(path, code_now, hashing=not args.quick), []
    if args.row is not None:
        if path.name not in PER_ROW:
            raise UserError(
                f"--row: {path} has no rows of metrics; give results/metrics.csv, or --metric with a result"
            )
        results = _results_of(path, args.row)
        metric = _parts(args.row)[3]
        numbers = [_number(result, metric) for result in results]
        return Chain(path, code_now, hashing=not args.quick, only={str(result) for result in results}), numbers
    chain = Chain(path, code_now, hashing=not args.quick)
    return chain, [_number(Path(chain.first), args.metric)]


def _parts(row: str) -> tuple[str, str, str, str, str | None]:
    """Split ``study/variant/benchmark/metric[@seed]``; a metric's own name may hold ``/`` and ``@pool10``."""
    from compactvl.errors import UserError

    parts = row.split("/", 3)
    if len(parts) < 4 or not all(parts):
        raise UserError(f'--row: "{row}" is not study/variant/benchmark/metric[@seed], e.g. edje/edje/scenes/t2i_r1@0')
    metric, _, seed = parts[3].rpartition("@")
    if not metric or not seed.isdigit():
        metric, seed = parts[3], ""
    return parts[0], parts[1], parts[2], metric, seed or None


def _results_of(table: Path, row: str) -> list[Path]:
    """Return the results (JSON) a row of a table was collected from.

    Raises:
        UserError: there is none; the message names what there is instead.
    """
    from compactvl.config.base import did_you_mean
    from compactvl.errors import UserError
    from compactvl.records.record import MANIFEST, read_record

    study, variant, benchmark, _, seed = _parts(row)
    inputs = read_record(table.with_name(MANIFEST))["inputs"]
    paths = [Path(name) for name in inputs]
    known = {"/".join((*path.parts[-4:-2], path.stem)): None for path in paths}
    wanted = f"{study}/{variant}/{benchmark}"
    found = [path for path in paths if "/".join((*path.parts[-4:-2], path.stem)) == wanted]
    if not found:
        raise UserError(f'--row: {table} has no "{wanted}"{did_you_mean(wanted, known)}')
    chosen = [path for path in found if seed is None or path.parent.name == f"seed{seed}"]
    if not chosen:
        seeds = ", ".join(path.parent.name.removeprefix("seed") for path in found)
        raise UserError(f"--row: {wanted} has no seed {seed}, only {seeds}")
    return chosen


def _number(result: Path, metric: str) -> dict[str, Any]:
    """Return one metric of a result, with the file it is in."""
    from compactvl.config.base import did_you_mean
    from compactvl.errors import UserError
    from compactvl.files import read_json

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


COMMANDS = [
    Command(
        "explain",
        "print where a figure, table, number or file comes from, back to pinned packages",
        "compactvl explain results/metrics.csv --row edje/edje/scenes/t2i_r1@0",
        _arguments,
        _explain,
    )
]
