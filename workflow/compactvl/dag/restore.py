"""Is what a checkout or a pull brought what the present code and settings would make?

Snakemake goes by times and by its own records of past runs; a checkout scrambles the first and a clone lacks the
second. Three records know better, and all must agree before anything is marked as up to date: DVC's (every tracked
file, and the code and settings it was made with), the pipeline's (every hash of every manifest) and the key of each job.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from compactvl.config.references import named
from compactvl.dag.identity import (
    evaluation_identity,
    index_made,
    parameters_made,
    report_made,
    set_made,
    table_made,
    training_identity,
    vectors_made,
    weights_made,
)
from compactvl.dag.plan import Plan, Training
from compactvl.errors import UserError
from compactvl.records.record import MANIFEST, Made, provenance_path, read_record
from compactvl.studies.base import Job

LOCK = Path("dvc.lock")
UNCACHED = "not in cache"
"""The state of an output that is right, though DVC's cache has no copy of it."""


def tracked_changes() -> tuple[list[str], list[str]]:
    """Ask DVC what differs from ``dvc.lock`` and the ``.dvc`` files.

    Returns:
        What is not here, and one line for each problem.

    Raises:
        UserError: DVC cannot tell: no repository, or no ``dvc.lock``.
    """
    if not LOCK.is_file():
        raise UserError(
            f"{LOCK} is missing: nothing says what is to be restored; run 'dvc commit --force' after a run, and commit it"
        )
    absent, problems = changes_of(_dvc("status"))
    # Of a folder, `dvc status` only says that it changed.
    if problems:
        changes = _dvc("data", "status", "--granular").get("uncommitted", {})
        problems += [
            f"{path}: {kind}"
            for kind in ("added", "deleted", "modified")
            for path in changes.get(kind, [])
            if not path.endswith("/") and not any(Path(path).is_relative_to(other) for other in absent)
        ]
    return absent, problems


def _dvc(*arguments: str) -> dict[str, Any]:
    """Run a command of DVC and return its JSON."""
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments, "--json"], capture_output=True, text=True)
    try:
        body = json.loads(done.stdout or "null")
    except json.JSONDecodeError:
        body = None
    if isinstance(body, dict):
        return body
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    message = lines[-1].removeprefix("ERROR: ") if lines else "no message"
    raise UserError(f"'dvc {' '.join(arguments)}' failed: {message}")


def changes_of(status: Mapping[str, list[Any]]) -> tuple[list[str], list[str]]:
    """Return what is not here, and one line for each problem, from the JSON of ``dvc status``."""
    absent: dict[str, None] = {}
    problems: dict[str, str] = {}
    for stage, changes in status.items():
        for change in changes:
            if not isinstance(change, dict):
                problems[f"{stage} {change}"] = f"{stage}: {change} since {LOCK} was written; run snakemake"
                continue
            for kind, states in change.items():
                for path, state in states.items():
                    if state == "deleted":
                        absent[path] = None
                    elif state != UNCACHED:
                        of = stage if stage.endswith(".dvc") else LOCK
                        remedy = "run 'dvc checkout'" if kind == "changed outs" else "run snakemake"
                        problems.setdefault(path, f"{path}: differs from {of}; {remedy}")
    for path in problems.keys() & {str(parent) for other in absent for parent in Path(other).parents}:
        problems[path] = f"{path}: part of it is not here; run 'dvc pull'"
    return list(absent), list(problems.values())


def unknown_overlays(overlays: Iterable[Path]) -> list[str]:
    """Return the overlays that ``dvc.lock`` does not name: nothing says that the results were made with them."""
    stages = (yaml.safe_load(LOCK.read_text(encoding="utf-8")) or {}).get("stages", {})
    known = {Path(dep["path"]) for stage in stages.values() for dep in stage.get("deps", [])}
    return [str(path) for path in overlays if Path(path) not in known]


def made_otherwise(described: Mapping[Path, Callable[[], Made]]) -> list[str]:
    """Return one line for each record that other code, settings or inputs made than now would; see :func:`descriptions`."""
    problems = []
    for record, describe in described.items():
        try:
            if read_record(provenance_path(record))["key"] != describe().key:
                problems.append(f"{record}: made with other code, settings or inputs than what is here; run snakemake")
        except UserError as error:
            problems.append(str(error))
    return problems


def descriptions(plan: Plan) -> Iterator[tuple[Path, Callable[[], Made]]]:
    """Yield every record that a plan's jobs make, and what describes how it would be made now."""
    layout, root, settings = plan.layout, plan.root, plan.layout.settings
    for name in root.weights:
        sources = {settings("sources", source): root.sources[source] for source in plan.weights_sources(name)}
        made = partial(weights_made, settings("weights", name), layout, sources)
        yield layout.weights(name).with_suffix(".json"), made
    for name, kind in root.datasets.items():
        sources = {settings("sources", source): root.sources[source] for source in plan.dataset_sources(name)}
        yield layout.dataset(name) / MANIFEST, partial(set_made, settings("datasets", name), kind, layout, sources)
    for section, pairs, folder, stage in (
        ("encoders", plan.tokens, layout.tokens, "encode"),
        ("text_encoders", plan.texts, layout.texts, "embed"),
    ):
        for encoder, dataset in pairs:
            weights = next(map(layout.weights, named(getattr(root, section)[encoder], "weights")), None)
            read = settings(section, encoder), layout.dataset(dataset), weights
            yield folder(encoder, dataset) / MANIFEST, partial(vectors_made, stage, *read)
    for name, study in plan.studies.items():
        jobs = {(job.variant, job.seed): _job(plan, job) for job in plan.trainings if job.study == name}
        for job in jobs.values():
            yield job.output / MANIFEST, partial(training_identity, job)
        for of in plan.evaluations:
            if of.study == name:
                record = layout.result(name, of.variant, of.seed) / f"{of.benchmark}.json"
                benchmark = root.benchmarks[of.benchmark]
                yield record, partial(evaluation_identity, jobs[of.variant, of.seed], of.benchmark, benchmark)
        results = layout.results / name
        yield results / MANIFEST, partial(table_made, settings("results", name), plan.results(name))
        variants = [settings(name, variant) for variant in study.variants]
        yield results / "parameters.json", partial(parameters_made, study.variants.values(), variants)
        if study.report:
            notebook = layout.root / "reports" / f"{name}.py"
            read = notebook, notebook.with_name("paper.mplstyle"), settings("reports", name)
            yield layout.results / "reports" / f"{name}.json", partial(report_made, *read)
    yield layout.results / MANIFEST, partial(table_made, settings("", "results"), plan.results())
    page = layout.results / "reports" / "index.html"
    yield page.with_suffix(".json"), partial(index_made, layout.results, page)


def _job(plan: Plan, training: Training) -> Job:
    study, variant, seed = training.study, training.variant, training.seed
    peers = plan.studies[study].variants
    return Job(study, variant, seed, peers[variant], plan.layout, plan.layout.run(study, variant, seed), peers)
