"""``compactvl train | evaluate``: one variant; one seed, or several one after another."""

import logging
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compactvl.cli.arguments import SETTINGS, out, settings_of_kind
from compactvl.cli.threads import computing, set_thread_variables
from compactvl.command import argument, command, path_argument
from compactvl.errors import UserError
from compactvl.files import only_writer, read_json
from compactvl.records.finished import discard, keep
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST

if TYPE_CHECKING:
    from compactvl.studies.base import Job

log = logging.getLogger(__name__)
JOB = (
    SETTINGS,
    path_argument("--peers", "settings of the variants it builds on", nargs="*", default=[]),
    argument("--study", required=True, help="name of the study, e.g. edje"),
    argument("--variant", required=True, help="name of the variant"),
    argument(
        "--seed",
        type=int,
        required=True,
        nargs="+",
        help="seed of everything that is drawn; several: one after another",
    ),
    argument(
        "--force", action="store_true", help="do it again though it was done with equal code, settings, seed and inputs"
    ),
)


@command(
    "train",
    "train a variant with a seed",
    "compactvl train --settings state/settings/edje/retriever.json --study edje --variant retriever --seed 0 "
    "--out runs/edje/retriever/seed0",
    *JOB,
    out("the run (a folder a seed)", nargs="+"),
)
def _train(args: Namespace) -> None:
    jobs = _jobs(args)
    from compactvl.dag.identity import identified

    for job in jobs:
        job = identified(replace(job, scratch=job.layout.resume(job.study, job.variant, job.seed)))
        with only_writer(job.output), _unless_finished(job, job.output / MANIFEST, args.force) as begun:
            if begun:
                from compactvl.studies.jobs import train
                from compactvl.training.checkpoint import discard_resume

                if args.force:
                    discard_resume(job.scratch)
                train(begun)


@command(
    "evaluate",
    "evaluate a trained variant on a benchmark",
    "compactvl evaluate --settings state/settings/edje/retriever.json --study edje --variant retriever --seed 0 "
    "--benchmark state/settings/benchmarks/scenes.json --out results/edje/retriever/seed0",
    *JOB,
    path_argument("--benchmark", "resolved settings of the benchmark", required=True),
    out("the results (a folder a seed)", nargs="+"),
)
def _evaluate(args: Namespace) -> None:
    jobs = _jobs(args)
    from compactvl.config.kinds import BENCHMARK_KINDS
    from compactvl.dag.identity import identified

    name = args.benchmark.stem
    benchmark = settings_of_kind(read_json(args.benchmark), BENCHMARK_KINDS, args.benchmark)
    for job in jobs:
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


def _jobs(args: Namespace) -> "list[Job]":
    """Load the settings of a job and of its peers, for each seed.

    Imports nothing heavy, and sets the job's threads for what will be.
    """
    if wrong := [seed for seed in args.seed if seed < 0]:
        raise UserError(f"--seed {wrong[0]}: a seed is 0 or more")
    if len(args.seed) != len(args.out):
        raise UserError(f"--seed has {len(args.seed)} values and --out {len(args.out)}; give a folder for each seed")
    own = read_json(args.settings)
    set_thread_variables(own.get("threads", 1) if isinstance(own, dict) else 1)
    from compactvl.studies.base import Job
    from compactvl.studies.study import find_study

    study = find_study(args.study, "--study")
    merged = {args.variant: own, **{path.stem: read_json(path) for path in args.peers if path.stem != args.variant}}
    if not all(isinstance(body, dict) for body in merged.values()):
        raise UserError(f"{args.settings}: expected a JSON object of settings; run snakemake once to write it again")
    peers = study.revive(merged, str(args.settings))
    own, layout = peers[args.variant], Layout()
    return [
        Job(args.study, args.variant, seed, own, layout, folder, peers)
        for seed, folder in zip(args.seed, args.out, strict=True)
    ]


@contextmanager
def _unless_finished(job: "Job", record: Path, force: bool) -> "Iterator[Job | None]":
    """Yield the job if it is to be done, and hold a device for it."""
    if not force and keep(record, job.identity.key):
        log.info("%s: already made with this code, these settings, seed and inputs: kept", record)
        yield None
        return
    discard(record)
    with computing(job.settings.threads):
        # The wait for the device is none of its seconds.
        yield replace(job, identity=replace(job.identity, started=time.monotonic()))
