"""How a training and an evaluation job end: with a run's folder, and with a result."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from compactvl.dag.identity import training_identity
from compactvl.files import atomic_path, sha256_file, write_json
from compactvl.records.record import write_manifest
from compactvl.studies.base import Job
from compactvl.training.checkpoint import MODEL, discard_resume, save_model
from compactvl.training.loop import State

SETTINGS = "settings.json"
LOG = "log.jsonl"


def run_digest(job: Job) -> str:
    """Identify a training job by its code, settings, seed and inputs: resume state of another digest is not used."""
    return (job.identity or training_identity(job)).key


def write_empty_log(job: Job) -> None:
    """Write the ``log.jsonl`` of a run that takes no steps: every run has the same files."""
    with atomic_path(job.output / LOG) as temporary:
        temporary.write_text("", encoding="utf-8")


def finish_run(
    job: Job,
    model: nn.Module | None,
    state: State,
    started: float,
    files: Sequence[str] = (),
    *,
    device: torch.device | str = "cpu",
    **facts: Any,
) -> None:
    """Write weights, settings and the manifest of a finished run, then remove its resume state.

    Args:
        job: the training job.
        model: its weights; ``None`` for a variant without any.
        state: where training ended.
        started: ``time.monotonic()`` at the start.
        files: further files already in the run's folder.
        device: where it was trained.
        facts: further deterministic facts for the manifest.
    """
    # A variant without weights of its own gets a file without tensors, so every run has the same files.
    hashes = {MODEL: sha256_file(save_model(model or nn.Module(), job.output))}
    write_json(job.output / SETTINGS, job.settings.model_dump(mode="json"))
    hashes |= {name: sha256_file(job.output / name) for name in (SETTINGS, *files)}
    identity = job.identity or training_identity(job)
    write_manifest(
        job.output,
        stage="train",
        files=hashes,
        inputs=identity.inputs,
        started=started,
        device=str(device),
        code=identity.code,
        key=identity.key,
        # It has each step's seconds.
        varying={LOG: sha256_file(job.output / LOG)},
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        steps=state.step,
        pairs=state.pairs,
        **facts,
    )
    if job.scratch is not None:
        discard_resume(job.scratch)


def train_nothing(job: Job) -> None:
    """Write the run of a variant that has no weights of its own."""
    write_empty_log(job)
    finish_run(job, None, State(), job.started)
