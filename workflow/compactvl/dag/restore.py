"""Is what a checkout or a pull brought what the present code and settings would make?

Snakemake goes by times and by its own records of past runs; a checkout scrambles the first and a clone lacks the
second. Three records know better, and all must agree before anything is marked as up to date: DVC's (every tracked
file, and the code and settings it was made with), the pipeline's (every hash of every manifest) and the key of each job.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from compactvl.dag.identity import evaluation_identity, training_identity
from compactvl.dag.plan import Plan
from compactvl.dag.settings_files import variant_body
from compactvl.dag.stages import report_digest, stage_digest
from compactvl.errors import UserError
from compactvl.files import read_json
from compactvl.records.record import MANIFEST, PROVENANCE, provenance_path
from compactvl.studies.base import Job

LOCK = Path("dvc.lock")
UNCACHED = "not in cache"
"""The state of an output that is right, though DVC's cache has no copy of it."""
ENCODER_FIELDS = ("loader", "precision", "storage", "image_size", "resize")
"""Settings of an encoder that its manifests name as the config does."""


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


def made_otherwise(plan: Plan) -> list[str]:
    """Return one line for each thing here that was made by other code or settings than the plan's."""
    layout, root = plan.layout, plan.root
    problems = []
    for name, settings in root.datasets.items():
        problems += _settings_problems(layout.dataset(name), settings, None)
    for encoder, dataset in plan.tokens:
        problems += _settings_problems(layout.tokens(encoder, dataset), root.encoders[encoder], "encoder")
    for encoder, dataset in plan.texts:
        problems += _settings_problems(layout.texts(encoder, dataset), root.text_encoders[encoder], "encoder")
    for provenance, code in _codes(plan):
        if provenance.is_file() and read_json(provenance).get("code") != code:
            problems.append(f"{provenance}: made by other code than what is here; run snakemake")
    for record, key in _keys(plan):
        provenance = provenance_path(record)
        if not provenance.is_file() or read_json(provenance).get("key") != key:
            problems.append(f"{record}: made with other code, settings or inputs than what is here; run snakemake")
    return problems


def _settings_problems(folder: Path, settings: BaseModel, part: str | None) -> list[str]:
    """Return whether a folder's manifest disagrees with the config, in the settings that it names as the config does.

    Args:
        folder: of a data set, token store or caption vectors.
        settings: what the config says.
        part: the manifest's entry with the settings; ``None`` for ``settings``, which has all that matter.
    """
    if not (folder / MANIFEST).is_file():
        return []
    manifest = read_json(folder / MANIFEST)
    wanted = settings.model_dump(mode="json")
    if part is None:
        # A path is left out there: where the user's files are does not matter.
        differs = any(wanted.get(key) != value for key, value in manifest.get("settings", {}).items())
    else:
        facts = {**manifest, **manifest.get(part, {}), **manifest.get(part, {}).get("preprocessing", {})}
        named = [key for key in ENCODER_FIELDS if key in facts and wanted.get(key) is not None]
        differs = any(facts[key] != wanted[key] for key in named)
    return [f"{folder}: made with other settings than the config's; run snakemake"] if differs else []


def _codes(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Yield the provenance of everything that has no key, with the digest of the present code."""
    layout = plan.layout
    for name in plan.root.datasets:
        yield layout.dataset(name) / PROVENANCE, plan.curate_digest(name)
    folders = [(layout.tokens(*pair), "encode") for pair in plan.tokens]
    folders += [(layout.texts(*pair), "embed") for pair in plan.texts]
    folders += [(folder, "collect") for folder in (layout.results, *(layout.results / name for name in plan.studies))]
    for folder, stage in folders:
        yield folder / PROVENANCE, stage_digest(stage)
    for name in plan.root.weights:
        stage = "weights" if plan.weights_sources(name) else "pretrained"
        yield provenance_path(layout.weights(name)), stage_digest(stage)
    for name, resolved in plan.studies.items():
        yield provenance_path(layout.results / name / "parameters.json"), plan.parameters_digest(name)
        if resolved.report:
            notebook = layout.root / "reports" / f"{name}.py"
            yield provenance_path(layout.results / "reports" / f"{name}.json"), report_digest(notebook)
    yield provenance_path(layout.results / "reports" / "index.json"), stage_digest("index")


def _keys(plan: Plan) -> Iterator[tuple[Path, str]]:
    """Yield the record of every run and result that is here, with the key it would have now."""
    jobs = {}
    for study, resolved in plan.studies.items():
        bodies = {name: variant_body(variant) for name, variant in resolved.variants.items()}
        settings = resolved.study.revive(bodies, f"studies.{study}.variants")
        for training in plan.trainings:
            if training.study == study:
                name, seed = training.variant, training.seed
                folder = plan.layout.run(study, name, seed)
                jobs[study, name, seed] = Job(study, name, seed, settings[name], plan.layout, folder, settings)
    for job in jobs.values():
        if (record := job.output / MANIFEST).is_file():
            yield record, training_identity(job).key
    for of in plan.evaluations:
        job, benchmark = jobs[of.study, of.variant, of.seed], of.benchmark
        record = plan.layout.result(of.study, of.variant, of.seed) / f"{benchmark}.json"
        if record.is_file():
            yield record, evaluation_identity(job, benchmark, plan.root.benchmarks[benchmark]).key


def made_here(plan: Plan) -> list[str]:
    """Return the targets of a plan that are here."""
    targets = [*plan.dataset_manifests(), *plan.token_manifests(), *plan.study_targets()]
    targets += [str(plan.layout.results / name) for name in ("metrics.csv", "reports/index.html")]
    return [path for path in targets if Path(path).is_file()]
