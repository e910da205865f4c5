"""EDJE's runs: what they hold besides weights."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compactvl.files import atomic_path
from compactvl.studies import run
from compactvl.studies.base import Job
from compactvl.studies.edje.joint import TOKENIZER
from compactvl.training.loop import State


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
    """Finish a run (:func:`compactvl.studies.run.finish_run`).

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
    if tokenizer is not None:
        with atomic_path(job.output / TOKENIZER) as temporary:
            shutil.copyfile(tokenizer, temporary)
        more = [*more, TOKENIZER]
    run.finish_run(job, model, state, started, more, device=device, encoder=encoder, shapes=shapes)
