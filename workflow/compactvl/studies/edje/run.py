"""A run's folder: what identifies it, and how it is finished."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compactvl import __version__
from compactvl.digest import source_digest
from compactvl.files import atomic_path, digest_of, sha256_file, write_json
from compactvl.manifest import manifest_digest, write_manifest
from compactvl.studies.base import Job, Needs
from compactvl.studies.edje.joint import TOKENIZER
from compactvl.studies.edje.needs import training_needs
from compactvl.training.checkpoint import MODEL, discard_resume, save_model
from compactvl.training.loop import State

TRAIN = "compactvl.studies.edje.study:EdjeStudy.train"
"""Entry point of the stage, for the digest of the code it runs."""


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


def run_digest(job: Job) -> str:
    """Identify a training job by its code, settings, seed and inputs: resume state of another digest is not used."""
    inputs = training_inputs(job, training_needs(job.settings, job.peers))
    return digest_of([__version__, source_digest([TRAIN]), job.settings.model_dump(mode="json"), job.seed, inputs])


def finish_run(
    job: Job,
    model: nn.Module | None,
    state: State,
    started: float,
    more: Sequence[str] = (),
    *,
    encoder: Mapping[str, str] | None = None,
    tokenizer: Path | None = None,
    device: torch.device | str = "cpu",
    **shapes: Any,
) -> None:
    """Write weights, settings and the manifest of a finished run, then remove its resume state.

    Args:
        job: the training job.
        model: its weights; ``None`` for a variant without any.
        state: where training ended.
        started: ``time.monotonic()`` at the start.
        more: further files already in the run's folder.
        encoder: whose patch tokens were trained on (:func:`compactvl.studies.edje.stores.encoder_of`).
        tokenizer: tokenizer file that the run is to hold.
        device: where it was trained.
        shapes: what builds the model again.
    """
    # A variant without weights of its own gets a file without tensors, so every run has the same files.
    files = {MODEL: sha256_file(save_model(model or nn.Module(), job.output))}
    write_json(job.output / "settings.json", job.settings.model_dump(mode="json"))
    files["settings.json"] = sha256_file(job.output / "settings.json")
    if tokenizer is not None:
        with atomic_path(job.output / TOKENIZER) as temporary:
            shutil.copyfile(tokenizer, temporary)
        more = [*more, TOKENIZER]
    files |= {name: sha256_file(job.output / name) for name in more}
    write_manifest(
        job.output,
        stage="train",
        files=files,
        inputs=training_inputs(job, training_needs(job.settings, job.peers)),
        started=started,
        device=str(device),
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        steps=state.step,
        pairs=state.pairs,
        encoder=encoder,
        shapes=shapes,
    )
    if job.scratch is not None:
        discard_resume(job.scratch)
