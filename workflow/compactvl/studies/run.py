"""A run's folder: what identifies a training job, and how it is finished."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from compactvl import __version__
from compactvl.digest import source_digest
from compactvl.files import atomic_path, digest_of, sha256_file, write_json
from compactvl.manifest import manifest_digest, write_manifest
from compactvl.studies.base import Job, Needs
from compactvl.training.checkpoint import MODEL, discard_resume, save_model
from compactvl.training.loop import State

SETTINGS = "settings.json"
LOG = "log.jsonl"


def training_inputs(job: Job, needs: Needs) -> dict[str, str]:
    """Name → SHA-256 of the manifest of everything a training job reads."""
    layout = job.layout
    inputs = {f"dataset {name}": manifest_digest(layout.dataset(name)) for name in sorted(needs.datasets)}
    inputs |= {f"tokens {e}/{d}": manifest_digest(layout.tokens(e, d)) for e, d in sorted(needs.tokens)}
    inputs |= {f"texts {e}/{d}": manifest_digest(layout.texts(e, d)) for e, d in sorted(needs.texts)}
    inputs |= {
        f"weights {name}": sha256_file(layout.weights(name).with_suffix(".json")) for name in sorted(needs.weights)
    }
    inputs |= {f"run {name}": manifest_digest(layout.run(job.study, name, job.seed)) for name in sorted(needs.variants)}
    return inputs


def run_digest(job: Job, needs: Needs, entry: str) -> str:
    """Identify a training job by its code, settings, seed and inputs: resume state of another digest is not used.

    Args:
        needs: what it reads.
        entry: ``module:Class.method`` where the stage begins, for the digest of the code it runs.
    """
    inputs = training_inputs(job, needs)
    return digest_of([__version__, source_digest([entry]), job.settings.model_dump(mode="json"), job.seed, inputs])


def write_empty_log(job: Job) -> None:
    """Write the ``log.jsonl`` of a run that takes no steps: every run has the same files."""
    with atomic_path(job.output / LOG) as temporary:
        temporary.write_text("", encoding="utf-8")


def finish_run(
    job: Job,
    needs: Needs,
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
        needs: what it read.
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
    write_manifest(
        job.output,
        stage="train",
        files=hashes,
        inputs=training_inputs(job, needs),
        started=started,
        device=str(device),
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        steps=state.step,
        pairs=state.pairs,
        **facts,
    )
    if job.scratch is not None:
        discard_resume(job.scratch)
