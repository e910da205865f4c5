"""Runs of the gating study: how they are finished, and opened again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from compactvl.records.intact import check_files
from compactvl.records.record import read_manifest
from compactvl.studies import run
from compactvl.studies.base import Job
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.ngram import NGramModel
from compactvl.text.bpe import TextTokenizer
from compactvl.training.checkpoint import load_model, read_state
from compactvl.training.loop import State

TOKENIZER = "tokenizer.json"


def finish(
    job: Job, model: torch.nn.Module | None, state: State, started: float, files: Sequence[str] = (), **facts: Any
) -> None:
    """Finish a run; see :func:`compactvl.studies.run.finish_run`."""
    run.finish_run(job, model, state, started, files, **facts)


def open_tokenizer(job: Job) -> TextTokenizer:
    """Open the tokenizer a variant reads."""
    folder = job.peer_run(job.settings.tokenizer)
    check_files(folder, TOKENIZER)
    return TextTokenizer(folder / TOKENIZER)


def open_decoder(job: Job, device: torch.device) -> GatedDecoder:
    """Open a trained decoder, in evaluation mode.

    With ``modes.temperature: released`` the Gumbel temperature is back at its first value, as it is not in the file.
    """
    folder = job.run
    model = GatedDecoder(job.settings, read_manifest(folder, "train")["vocabulary"])
    load_model(model, folder)
    return model.to(device).eval()


def open_ngram(job: Job) -> NGramModel:
    """Open a counted n-gram model."""
    folder = job.run
    model = NGramModel(job.settings.order, read_manifest(folder, "train")["vocabulary"], job.settings.discount)
    model.resize(len(read_state(folder)["pairs"]))
    load_model(model, folder)
    return model


def start_from(model: GatedDecoder, folder: Path) -> list[str]:
    """Take over the weights of another run whose names and shapes agree; return the names of those that began fresh."""
    own, other = model.state_dict(), read_state(folder)
    shared = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
    shared.pop("temperature", None)
    model.load_state_dict(own | shared)
    return sorted(own.keys() - shared.keys() - {"temperature"})
