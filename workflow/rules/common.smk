# The plan: which jobs there are and what each reads. Helpers of the rules are here and nowhere else.

import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

import compactvl
from compactvl.config.overlay import read_yaml
from compactvl.config.references import named
from compactvl.dag.environment import put_program_on_path
from compactvl.dag.plan import Plan
from compactvl.dag.run_lock import RunLock, discard_incomplete
from compactvl.dag.settings_files import write_settings_files
from compactvl.dag.stages import (
    STAGE_MODULES,
    code_digest,
    curate_modules,
    encode_modules,
    evaluation_modules,
    parameters_modules,
    report_modules,
    training_modules,
    weights_modules,
)
from compactvl.errors import UserError

own, installed = Path(workflow.basedir) / "workflow" / "compactvl", Path(compactvl.__file__).parent
if not own.samefile(installed):
    raise WorkflowError(
        f"{sys.executable} runs the code in {installed}, not {own}: run `pip install --no-deps -e .` here"
    )
if set("{}") & set(f"{own}{os.getcwd()}"):
    raise WorkflowError(
        f"{os.getcwd()}: Snakemake takes {{ and }} in a folder's name for a wildcard; rename the folder"
    )
put_program_on_path()
try:
    # Jobs that Snakemake starts read the Snakefile too; they are part of the run that started them.
    run_lock = RunLock() if workflow.is_main_process else None
    # Snakemake's own reader takes the second of two equal keys and says nothing.
    for path in workflow.configfiles:
        read_yaml(path)
    plan = Plan(config)
    write_settings_files(plan, in_use_by=run_lock and run_lock.other)
    if run_lock and not run_lock.other:
        discard_incomplete(plan.archives(plan.root.sources))
except UserError as error:
    raise WorkflowError(*str(error).splitlines())
if run_lock and run_lock.other:
    logger.warning(f"Another snakemake is at work in this folder: {run_lock.other}.")


# What reads an archive has it as `ancient()`: when one is fetched again, Snakemake stops there and is content.
def archive_times():
    """When each archive that is here was fetched."""
    return {path: os.path.getmtime(path) for path in plan.archives(plan.root.sources) if os.path.exists(path)}


fetched = archive_times()


onstart:
    run_lock.announce()
    # There is no queue here to be spared. With a limit on submissions Snakemake looks again and again, for every job that has
    # ended so far, whether a waiting one may start: at a hundred jobs that takes half a core.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


onsuccess:
    now = archive_times()
    if again := [path for path, time in fetched.items() if now.get(path, time) != time]:
        logger.warning(f"Fetched again: {', '.join(again)}. Run snakemake once more for what is made from that.")


# Files of the repository, where Snakemake was told to work in another folder (--directory).
REPOSITORY = os.path.relpath(workflow.basedir)


wildcard_constraints:
    name=r"[A-Za-z][A-Za-z0-9_]*",
    encoder=r"[A-Za-z][A-Za-z0-9_]*",
    dataset=r"[A-Za-z][A-Za-z0-9_]*",
    study=r"[A-Za-z][A-Za-z0-9_]*",
    variant=r"[A-Za-z][A-Za-z0-9_+]*",
    benchmark=r"[A-Za-z][A-Za-z0-9_]*",
    seed=r"[0-9]+",
    file=r"[A-Za-z0-9][A-Za-z0-9._-]*\.(tgz|whl)",


def job_settings(wildcards):
    """Settings file of a training or evaluation job."""
    return str(plan.layout.settings(wildcards.study, wildcards.variant))


def job_peers(wildcards):
    """Settings files of the variants the job builds on."""
    peers = plan.peers(wildcards.study, wildcards.variant, wildcards.get("benchmark"))
    return [str(plan.layout.settings(wildcards.study, peer)) for peer in peers]


def job_edges(wildcards):
    """Manifests of what the job reads."""
    needs = plan.needs(wildcards.study, wildcards.variant, wildcards.get("benchmark"))
    return plan.edges(needs, wildcards.study, int(wildcards.get("seed", 0)))


def job_blobs(wildcards):
    """Big files beside these manifests."""
    needs = plan.needs(wildcards.study, wildcards.variant, wildcards.get("benchmark"))
    return plan.blobs(needs, wildcards.study, int(wildcards.get("seed", 0)))


def own_files(wildcards):
    """The user's own files a data set is made from. Where some are missing, all that the targets lack are told."""
    try:
        return plan.external(wildcards.dataset)
    except UserError:
        targets = set(workflow.dag_settings.targets) or {"all"}
        studies = [None] if targets & {"all", "report", "tokens"} else targets & plan.studies.keys()
        sets = {wildcards.dataset, *(name for study in studies for name in plan.datasets(study))}
        missing = plan.missing(plan.root.datasets if "data" in targets else sets)
        # An exception in an input function is shown with a traceback; this one ends Snakemake without a word.
        logger.error("\n".join([*missing, f"{len(missing)} files or folders of your own are missing"]))
        sys.exit(1)


def as_list(paths):
    """One path, or several: a list of them."""
    return [paths] if isinstance(paths, str) else list(paths)


def each_seed(pattern):
    """A path for each seed of the studies of which one job trains all."""
    return expand(pattern, seed=plan.seeds_together or [0], allow_missing=True)


def job_threads(wildcards):
    """Threads the job computes with."""
    return plan.variant(wildcards.study, wildcards.variant).threads


def evaluation_threads(wildcards):
    """Cores an evaluation takes: all of this machine if it measures time. A cluster has no such number (`slurm_extra`)."""
    cores = workflow.resource_settings.cores if plan.root.benchmarks[wildcards.benchmark].timed else None
    return cores or job_threads(wildcards)


def evaluated_by(wildcards):
    """Modules that open the variant and measure it."""
    peers, benchmark = plan.studies[wildcards.study].variants, plan.root.benchmarks[wildcards.benchmark]
    return evaluation_modules(peers[wildcards.variant], benchmark, peers)


def dataset_sources(wildcards):
    """Archives a data set is made from."""
    return plan.archives(plan.dataset_sources(wildcards.dataset))


def dataset_pins(wildcards):
    """DVC files of these archives."""
    return plan.pins(plan.dataset_sources(wildcards.dataset))


def weights_of(encoder, suffix=".safetensors"):
    """Converted weights that an encoder of these settings loads, or their records: one file or none."""
    return [str(plan.layout.weights(name).with_suffix(suffix)) for name in named(encoder, "weights")]


def notebook_of(wildcards):
    """The report's notebook, in the repository."""
    return os.path.normpath(os.path.join(REPOSITORY, "reports", f"{wildcards.study}.py"))
