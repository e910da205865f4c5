"""What each job is made from, as its record and provenance will say it: one description, made by the command that does
the job and by the plan that asks whether what is here was made so. Nothing here imports torch.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from compactvl.config.sources import SourceSettings
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
from compactvl.data.kind import DataKind
from compactvl.data.sources import source_hash
from compactvl.errors import UserError
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.files import json_text, read_json, sha256_bytes
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, hashes, here, read_manifest
from compactvl.studies.base import Job, Needs, Variant
from compactvl.studies.study import find_study

RUN_FIELDS = frozenset({"benchmarks", "seeds"})
"""Fields of a variant that say which jobs there are; no job's outcome depends on them."""
READ_BY = {"encode": "images-", "embed": "items"}
"""Stage → how the names of the files of a data set begin that it reads."""


def set_made(settings: Path, kind: DataKind, layout: Layout, sources: Mapping[Path, SourceSettings]) -> Made:
    """Describe the curation of a data set.

    Args:
        settings: settings file of the data set. kind: its settings. layout: where archives and sets are.
        sources: the sources it is made from, by their settings files.

    Raises:
        UserError: a file is missing, or an archive is not the pinned one.
    """
    if problems := kind.missing(f"datasets.{settings.stem}"):
        raise UserError("\n".join(problems))
    archives = _archives(layout, sources)
    sets = hashes(layout.dataset(name) / MANIFEST for name in kind.sets)
    own = hashes(path for _, path in kind.own_files())
    return _made("curate", curate_modules(kind.kind), hashes([settings, *sources]), archives | sets, own)


def weights_made(settings: Path, layout: Layout, sources: Mapping[Path, SourceSettings]) -> Made:
    """Describe a conversion of weights.

    Args:
        settings: settings file of the weights. layout: where archives are.
        sources: the source they are in, by its settings file; none for weights of the Hub or a folder.

    Raises:
        UserError: a file is missing, here as everywhere below, or an archive is not the pinned one.
    """
    read, own = hashes([settings, *sources]), hashes(_own_model(settings))
    modules = weights_modules(read_json(settings)["format"])
    return _made("weights", modules, read, _archives(layout, sources), own)


def vectors_made(stage: str, settings: Path, dataset: Path, weights: Path | None) -> Made:
    """Describe the stage ``encode`` or ``embed`` of a data set; ``weights``: converted ones, for encoders that use them."""
    inputs = _recorded(dataset, READ_BY[stage])
    if weights is not None:
        inputs |= hashes([weights.with_suffix(".json")])
    modules = encode_modules(read_json(settings)["loader"]) if stage == "encode" else STAGE_MODULES[stage]
    return _made(stage, modules, hashes([settings]), inputs, hashes(_own_model(settings)))


def table_made(listed: Path | None, results: Iterable[str | Path]) -> Made:
    """Describe a table of metrics; ``listed``: the settings file that lists its results, where there is one."""
    return _made("collect", STAGE_MODULES["collect"], hashes(filter(None, [listed])), hashes(results))


def parameters_made(variants: Iterable[Variant], settings: Iterable[str | Path]) -> Made:
    """Describe a study's table of parameters, which is made from its variants' settings alone."""
    return _made("parameters", parameters_modules(variants), hashes(settings))


def report_made(notebook: Path, style: Path, listed: Path | None) -> Made:
    """Describe a report; ``listed``: the settings file that lists what it may read."""
    read = [] if listed is None else read_json(listed)
    return _made("report", report_modules(notebook), hashes(filter(None, [listed])), hashes([notebook, style, *read]))


def index_made(results: Path, page: Path) -> Made:
    """Describe the page that links the table of metrics and the reports that are there."""
    reports = sorted(path for path in (results / "reports").glob("*.html") if path.resolve() != page.resolve())
    return _made("index", STAGE_MODULES["index"], {}, hashes([results / "metrics.csv", *reports]))


def training_identity(job: Job) -> Made:
    """Describe a training job."""
    needs = find_study(job.study, "study").training_needs(job.settings, job.peers)
    return _job_made("train", training_modules(job.settings), job, needs, {})


def evaluation_identity(job: Job, name: str, benchmark: BenchmarkKind) -> Made:
    """Describe the evaluation of a trained variant on a benchmark."""
    needs = find_study(job.study, "study").evaluation_needs(job.settings, benchmark, job.peers)
    settings = {here(job.layout.settings("benchmarks", name)): settings_digest(benchmark.model_dump(mode="json"))}
    modules = evaluation_modules(job.settings, benchmark, job.peers)
    return _job_made("evaluate", modules, job, needs | Needs.of(variants=[job.variant]), settings)


def identified(job: Job, name: str = "", benchmark: BenchmarkKind | None = None) -> Job:
    """Return a training job, or with a benchmark and its name an evaluation job, that knows what it is made from."""
    made = training_identity(job) if benchmark is None else evaluation_identity(job, name, benchmark)
    return replace(job, identity=made)


def variant_body(variant: BaseModel) -> dict[str, Any]:
    """Return a variant's settings as its settings file holds them."""
    return variant.model_dump(mode="json", exclude=set(RUN_FIELDS))


def settings_digest(body: Any) -> str:
    """Return the SHA-256 of the settings file of this content."""
    return sha256_bytes(json_text(body).encode())


def _made(stage: str, modules: Sequence[str], *read: Any) -> Made:
    return Made(stage, code_digest(modules), *read, modules=modules)


def _job_made(stage: str, modules: Sequence[str], job: Job, needs: Needs, settings: Mapping[str, str]) -> Made:
    own = {here(job.layout.settings(job.study, job.variant)): settings_digest(variant_body(job.settings))}
    encoders = hashes(job.layout.settings("encoders", name) for name in sorted(needs.encoders))
    inputs = hashes(_records(job, needs))
    return _made(stage, modules, own | settings | encoders, inputs, hashes(sorted(needs.files)), job.seed)


def _records(job: Job, needs: Needs) -> Iterator[Path]:
    """Yield the records of what a job reads, its encoders' weights too."""
    of_encoders = (read_json(job.layout.settings("encoders", name)).get("weights") for name in needs.encoders)
    return records_of(needs | Needs.of(weights=of_encoders), job.layout, job.study, job.seed)


def records_of(needs: Needs, layout: Layout, study: str = "", seed: int = 0) -> Iterator[Path]:
    """Yield the record of everything of the pipeline's own in ``needs``; ``study``, ``seed``: of the runs."""
    folders = [layout.dataset(name) for name in sorted(needs.datasets)]
    folders += [layout.tokens(*pair) for pair in sorted(needs.tokens)]
    folders += [layout.texts(*pair) for pair in sorted(needs.texts)]
    folders += [layout.run(study, name, seed) for name in sorted(needs.variants)]
    yield from (folder / MANIFEST for folder in folders)
    yield from (layout.weights(name).with_suffix(".json") for name in sorted(needs.weights))


def _recorded(folder: Path, beginning: str) -> dict[str, str]:
    """Return the files of a folder whose names begin so, as its manifest has them: path → SHA-256."""
    files = read_manifest(folder)["files"]
    return {here(folder / name): files[name] for name in sorted(files) if name.startswith(beginning)}


def _archives(layout: Layout, sources: Mapping[Path, SourceSettings]) -> dict[str, str]:
    return {here(path): source_hash(path, pin) for pin in sources.values() if (path := layout.source(pin.file))}


def _own_model(settings: Path) -> list[str]:
    """Return the files of a user's own model: a checkpoint, or a folder as ``save_pretrained`` writes it."""
    body = read_json(settings)
    found = []
    for place in filter(None, (body.get("model"), body.get("checkpoint"))):
        if os.path.isdir(place):
            found += sorted(entry.path for entry in os.scandir(place) if entry.is_file())
        elif os.path.isfile(place):
            found.append(place)
    return found
