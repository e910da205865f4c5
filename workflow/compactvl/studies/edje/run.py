"""A run's folder: what identifies it, and how it is finished."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from compactvl import __version__
from compactvl.files import digest_of, sha256_file, write_json
from compactvl.manifest import manifest_digest, write_manifest
from compactvl.studies.base import Job, Needs
from compactvl.studies.edje.needs import training_needs
from compactvl.training.checkpoint import MODEL, save_model
from compactvl.training.compute import compute_device
from compactvl.training.loop import State


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
    """Identify a training job by version, settings, seed and inputs: resume state of another digest is not used."""
    inputs = training_inputs(job, training_needs(job.settings, job.peers))
    return digest_of([__version__, job.settings.model_dump(mode="json"), job.seed, inputs])


def finish_run(
    job: Job, model: nn.Module | None, state: State, started: float, more: Sequence[str] = (), **shapes: Any
) -> None:
    """Write weights, settings and the manifest of a finished run; ``more`` names further files already in its folder."""
    # A variant without weights of its own gets a file without tensors, so every run has the same files.
    files = {MODEL: sha256_file(save_model(model or nn.Module(), job.output))}
    write_json(job.output / "settings.json", job.settings.model_dump(mode="json"))
    files["settings.json"] = sha256_file(job.output / "settings.json")
    files |= {name: sha256_file(job.output / name) for name in more}
    write_manifest(
        job.output,
        stage="train",
        files=files,
        inputs=training_inputs(job, training_needs(job.settings, job.peers)),
        started=started,
        device=str(compute_device()),
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        steps=state.step,
        pairs=state.pairs,
        shapes=shapes,
    )
