"""What identifies a training or evaluation job: its code, settings, seed and inputs. Nothing here imports torch."""

from collections.abc import Mapping
from typing import Any

from compactvl import __version__
from compactvl.dag.stages import evaluation_digest, training_digest
from compactvl.files import digest_of, read_json, sha256_file
from compactvl.records.layout import Layout
from compactvl.records.record import manifest_digest
from compactvl.studies.base import Identity, Job, Needs
from compactvl.studies.study import find_study


def training_identity(job: Job) -> Identity:
    """Identify a training job.

    Raises:
        UserError: something it reads is missing.
    """
    study = find_study(job.study, "study")
    inputs = inputs_of(job, study.training_needs(job.settings, job.peers))
    return _identity(training_digest(job.settings), inputs, job, [])


def evaluation_identity(job: Job, name: str, benchmark: Any) -> Identity:
    """Identify the evaluation of a trained variant on a benchmark.

    Raises:
        UserError: something it reads is missing.
    """
    study = find_study(job.study, "study")
    inputs = {"run": manifest_digest(job.run)}
    inputs |= inputs_of(job, study.evaluation_needs(job.settings, benchmark, job.peers))
    code = evaluation_digest(job.settings, benchmark, job.peers)
    return _identity(code, inputs, job, [name, benchmark.model_dump(mode="json")])


def inputs_of(job: Job, needs: Needs) -> dict[str, str]:
    """Return name → SHA-256 of the record (or settings file, or user's own file) of everything in ``needs``."""
    layout = job.layout
    inputs = {f"dataset {name}": manifest_digest(layout.dataset(name)) for name in sorted(needs.datasets)}
    inputs |= {f"tokens {e}/{d}": manifest_digest(layout.tokens(e, d)) for e, d in sorted(needs.tokens)}
    inputs |= {f"texts {e}/{d}": manifest_digest(layout.texts(e, d)) for e, d in sorted(needs.texts)}
    weights = sorted(needs.weights | _weights_of(layout, needs.encoders))
    inputs |= {f"weights {name}": sha256_file(layout.weights(name).with_suffix(".json")) for name in weights}
    inputs |= {f"run {name}": manifest_digest(layout.run(job.study, name, job.seed)) for name in sorted(needs.variants)}
    inputs |= {f"encoder settings {e}": sha256_file(layout.settings("encoders", e)) for e in sorted(needs.encoders)}
    return inputs | {f"file {path}": sha256_file(path) for path in sorted(needs.files)}


def _weights_of(layout: Layout, encoders: frozenset[str]) -> set[str]:
    """Return the converted weights that vision encoders load, by their settings files."""
    return {read_json(layout.settings("encoders", name)).get("weights") for name in encoders} - {None}


def _identity(code: str, inputs: Mapping[str, str], job: Job, more: list[Any]) -> Identity:
    key = digest_of([__version__, code, job.settings.model_dump(mode="json"), job.seed, inputs, *more])
    return Identity(code, inputs, key)
