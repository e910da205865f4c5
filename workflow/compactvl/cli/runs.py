"""``compactvl train | evaluate``: one variant, one seed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from compactvl.cli.arguments import add_out, add_settings, read_settings
from compactvl.cli.command import Command

if TYPE_CHECKING:
    from compactvl.studies.base import Job, Study


def _job_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument(
        "--peers", type=Path, nargs="*", default=[], metavar="FILE", help="settings of the variants it builds on"
    )
    parser.add_argument("--study", required=True, help="name of the study, e.g. edje")
    parser.add_argument("--variant", required=True, help="name of the variant")
    parser.add_argument("--seed", type=int, required=True, help="seed of everything that is drawn")


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    _job_arguments(parser)
    add_out(parser, "the run")


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _job_arguments(parser)
    parser.add_argument(
        "--benchmark", type=Path, required=True, metavar="FILE", help="resolved settings of the benchmark"
    )
    add_out(parser, "the results (a folder)")


def _job(args: argparse.Namespace, scratch: bool) -> "tuple[Study, Job]":
    """Load the settings of a job and of its peers; set its threads before torch is imported."""
    from compactvl.errors import UserError
    from compactvl.files import read_json
    from compactvl.layout import Layout

    own = read_json(args.settings)
    from compactvl.cli.threads import use_threads

    use_threads(own.get("threads", 1) if isinstance(own, dict) else 1)
    from compactvl.studies.base import Job
    from compactvl.studies.registry import find_study

    study = find_study(args.study, "--study")
    merged = {args.variant: own, **{path.stem: read_json(path) for path in args.peers if path.stem != args.variant}}
    if not all(isinstance(body, dict) for body in merged.values()):
        raise UserError(f"{args.settings}: expected a JSON object of settings; run snakemake once to write it again")
    resolved = study.resolve(merged, str(args.settings))
    layout = Layout()
    job = Job(
        study=args.study,
        variant=args.variant,
        seed=args.seed,
        settings=resolved[args.variant],
        layout=layout,
        output=args.out,
        peers=resolved,
        scratch=layout.resume(args.study, args.variant, args.seed) if scratch else None,
    )
    return study, job


def _train(args: argparse.Namespace) -> None:
    from compactvl.training.device import lease

    with lease():
        study, job = _job(args, scratch=True)
        study.train(job)


def _evaluate(args: argparse.Namespace) -> None:
    from compactvl.training.device import lease

    with lease():
        study, job = _job(args, scratch=False)
        from compactvl.config.benchmarks import BenchmarkSettings

        study.evaluate(job, args.benchmark.stem, read_settings(args.benchmark, BenchmarkSettings))


COMMANDS = [
    Command(
        "train",
        "train a variant with a seed",
        "compactvl train --settings state/settings/edje/retriever.json --study edje --variant retriever --seed 0 "
        "--out runs/edje/retriever/seed0",
        _train_arguments,
        _train,
    ),
    Command(
        "evaluate",
        "evaluate a trained variant on a benchmark",
        "compactvl evaluate --settings state/settings/edje/retriever.json --study edje --variant retriever --seed 0 "
        "--benchmark state/settings/benchmarks/scenes.json --out results/edje/retriever/seed0",
        _evaluate_arguments,
        _evaluate,
    ),
]
