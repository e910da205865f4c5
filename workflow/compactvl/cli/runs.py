"""``compactvl train | evaluate``: one variant, one seed."""

import argparse
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compactvl.cli.arguments import add_out, add_settings
from compactvl.command import Command

if TYPE_CHECKING:
    from compactvl.studies.base import Job

log = logging.getLogger(__name__)


def _job_arguments(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    parser.add_argument(
        "--peers", type=Path, nargs="*", default=[], metavar="FILE", help="settings of the variants it builds on"
    )
    parser.add_argument("--study", required=True, help="name of the study, e.g. edje")
    parser.add_argument("--variant", required=True, help="name of the variant")
    parser.add_argument("--seed", type=int, required=True, help="seed of everything that is drawn")
    parser.add_argument(
        "--force", action="store_true", help="do it again though it was done with equal code, settings, seed and inputs"
    )


def _train_arguments(parser: argparse.ArgumentParser) -> None:
    _job_arguments(parser)
    add_out(parser, "the run")


def _evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    _job_arguments(parser)
    parser.add_argument(
        "--benchmark", type=Path, required=True, metavar="FILE", help="resolved settings of the benchmark"
    )
    add_out(parser, "the results (a folder)")


def _job(args: argparse.Namespace, scratch: bool) -> "Job":
    """Load the settings of a job and of its peers. Imports nothing heavy, and sets its threads for what will be."""
    from compactvl.errors import UserError
    from compactvl.files import read_json
    from compactvl.records.layout import Layout

    if args.seed < 0:
        raise UserError(f"--seed {args.seed}: a seed is 0 or more")
    own = read_json(args.settings)
    from compactvl.cli.threads import set_thread_variables

    set_thread_variables(own.get("threads", 1) if isinstance(own, dict) else 1)
    from compactvl.studies.base import Job
    from compactvl.studies.study import find_study

    study = find_study(args.study, "--study")
    merged = {args.variant: own, **{path.stem: read_json(path) for path in args.peers if path.stem != args.variant}}
    if not all(isinstance(body, dict) for body in merged.values()):
        raise UserError(f"{args.settings}: expected a JSON object of settings; run snakemake once to write it again")
    resolved = study.revive(merged, str(args.settings))
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
    return job


def _train(args: argparse.Namespace) -> None:
    job = _job(args, scratch=True)
    from compactvl.dag.identity import identified
    from compactvl.files import only_writer
    from compactvl.records.record import MANIFEST

    job = identified(job)
    with only_writer(job.output), _unless_finished(job, job.output / MANIFEST, args.force) as begun:
        if begun:
            if args.force:
                from compactvl.training.checkpoint import discard_resume

                discard_resume(job.scratch)
            from compactvl.studies.jobs import train

            train(begun)


def _evaluate(args: argparse.Namespace) -> None:
    job = _job(args, scratch=False)
    from compactvl.cli.arguments import read_kind
    from compactvl.config.kinds import BENCHMARK_KINDS
    from compactvl.dag.identity import identified
    from compactvl.errors import UserError
    from compactvl.files import only_writer

    name, benchmark = args.benchmark.stem, read_kind(args.benchmark, BENCHMARK_KINDS)
    able, reason = job.settings.supports(benchmark, job.peers)
    if not able:
        raise UserError(f"--benchmark {args.benchmark}: {args.variant} cannot be evaluated on it: {reason}")
    job = identified(job, name, benchmark)
    # Other benchmarks' results are in the same folder.
    held = only_writer(job.output / f".{name}")
    with held, _unless_finished(job, job.output / f"{name}.json", args.force) as begun:
        if begun:
            from compactvl.studies.jobs import evaluate

            evaluate(begun, name, benchmark)


@contextmanager
def _unless_finished(job: "Job", record: Path, force: bool) -> "Iterator[Job | None]":
    """Yield the job if it is to be done, and hold a device for it."""
    from compactvl.records.finished import discard, keep

    key = job.identity.key
    if not force and keep(record, key):
        log.info("%s: already made with this code, these settings, seed and inputs: kept", record)
        yield None
        return
    discard(record)
    from compactvl.cli.threads import use_threads
    from compactvl.training.determinism import use_deterministic_algorithms
    from compactvl.training.device import lease

    with lease():
        use_threads(job.settings.threads)
        use_deterministic_algorithms()
        # The wait for the device is none of its seconds.
        yield replace(job, identity=replace(job.identity, started=time.monotonic()))


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
