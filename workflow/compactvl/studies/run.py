"""How a training job runs and ends, with a run's folder, and how a run is opened again."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, get_args

import torch
from torch import nn

from compactvl.config.base import validate
from compactvl.errors import UserError
from compactvl.files import atomic_path, read_json, write_json
from compactvl.nn.compute import warn_of_idle_gpu
from compactvl.records.intact import check_files
from compactvl.records.record import MANIFEST, read_manifest, write
from compactvl.studies.base import Job, Variant
from compactvl.training.checkpoint import MODEL, discard_resume, save_model
from compactvl.training.loop import Hooks, Loss, State, train_loop
from compactvl.training.optim import AdamW, build_adamw, build_rate, is_matrix

SETTINGS = "settings.json"
LOG = "log.jsonl"
Kind = TypeVar("Kind", bound=Variant)


def train(
    job: Job,
    model: nn.Module,
    optimiser: AdamW,
    loss: Loss,
    *,
    steps: int,
    epoch: int | None = None,
    groups: Mapping[str, Iterable[nn.Parameter]] | None = None,
    decays: Callable[[str, nn.Parameter], bool] = is_matrix,
    hooks: Hooks | None = None,
    best: str | None = None,
    start: str | None = None,
    files: Callable[[nn.Module], Sequence[str]] | Sequence[str] = (),
    **facts: Any,
) -> None:
    """Train a model and write its run.

    Args:
        job: the training job.
        model: on its device, with the weights it begins with.
        optimiser: its settings.
        loss: one micro-batch's; see :func:`compactvl.training.loop.train_loop`, also for ``hooks`` and ``best``.
        steps: optimiser steps. epoch: how many of them are an epoch, for the schedule ``epoch_decay``.
        groups: parameters by name of ``optimiser.groups``. decays: which of them decay with ``decay_norms: false``.
        start: variant whose run the weights come from: what it has seen counts.
        files: further files of the run, by name, already in its folder; or what writes them for the trained model.
        facts: further deterministic facts for the manifest.
    """
    label = f"{job.variant} seed {job.seed}"
    warn_of_idle_gpu(model_device(model), label)
    state = train_loop(
        model,
        build_adamw(optimiser, model, groups, decays),
        loss,
        steps=steps,
        rate=build_rate(optimiser, steps, epoch),
        seed=job.seed,
        clip=optimiser.clip,
        digest=job.identity.key,
        scratch=job.scratch,
        label=label,
        accumulate=optimiser.accumulate,
        hooks=hooks,
        best=best,
        seen_before=0 if start is None else read_manifest(job.peer_run(start), "train")["seen"],
    )
    finish_run(job, model, state, files=files(model) if callable(files) else files, **facts)


def finish_run(
    job: Job,
    model: nn.Module | None = None,
    state: State | None = None,
    *,
    files: Sequence[str] = (),
    device: torch.device | None = None,
    **facts: Any,
) -> None:
    """Write weights, settings, log and the manifest of a finished run, then remove its resume state.

    Args:
        job: the training job.
        model: its weights; ``None`` for a variant without any.
        state: where training ended; ``None`` for a variant that takes no steps.
        files: further files already in the run's folder.
        device: where it was computed; default: where the model is, and the CPU without one.
        facts: further deterministic facts for the manifest.
    """
    state = state or State()
    if device is None and model is not None:
        device = model_device(model)
    if device is not None and state.step == 0:  # before steps are taken, it was said
        warn_of_idle_gpu(device, f"{job.variant} seed {job.seed}")
    # A variant without weights of its own gets a file without tensors, and one without steps an empty log.
    model = nn.Module() if model is None else model
    save_model(model, job.output)
    write_json(job.output / SETTINGS, job.settings.model_dump(mode="json"))
    with atomic_path(job.output / LOG) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in state.lines), encoding="utf-8")
    write(
        job.output / MANIFEST,
        job.identity,
        [job.output / name for name in (MODEL, SETTINGS, *files)],
        device=str(device or "cpu"),
        # It has each step's seconds.
        varying=[job.output / LOG],
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        steps=state.step,
        seen=state.seen,
        **({"best": state.best} if state.best else {}),
        **facts,
    )
    if job.scratch is not None:
        discard_resume(job.scratch)


def train_nothing(job: Job) -> None:
    """Write the run of a variant that has no weights of its own."""
    finish_run(job)


def model_device(model: nn.Module) -> torch.device:
    """Where a model's weights are; the CPU for one without any."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


def read_settings(run: str | Path, *kinds: type[Kind]) -> Kind:
    """Read the settings of a finished run from its folder.

    Raises:
        UserError: the run is missing, unfinished or damaged, or of another kind of variant.
    """
    check_files(run, SETTINGS, stage="train")
    body = read_json(Path(run) / SETTINGS)
    named = {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in kinds}
    if body.get("kind") not in named:
        wanted = " or ".join(f"`{kind}`" for kind in named)
        raise UserError(f"{run} is a run of kind `{body.get('kind')}`; choose one of kind {wanted}")
    return validate(named[body["kind"]], body, str(Path(run) / SETTINGS))
