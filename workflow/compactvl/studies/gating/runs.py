"""Runs of the gating study: how they are finished, and opened again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from compactvl.evaluation.results import Metric, write_result
from compactvl.files import sha256_file
from compactvl.layout import Layout
from compactvl.manifest import manifest_digest, read_manifest
from compactvl.studies import run
from compactvl.studies.base import Job
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.needs import training_needs
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.settings import Decoder
from compactvl.text.bpe import TextTokenizer
from compactvl.training.checkpoint import MODEL, load_model, read_state
from compactvl.training.loop import State

TRAIN = "compactvl.studies.gating.study:GatingStudy.train"
"""Entry point of the stage, for the digest of the code it runs."""
TOKENIZER = "tokenizer.json"


def run_digest(job: Job) -> str:
    """Identify a training job; see :func:`compactvl.studies.run.run_digest`."""
    return run.run_digest(job, training_needs(job.settings, job.peers), TRAIN)


def finish(
    job: Job, model: torch.nn.Module | None, state: State, started: float, files: Sequence[str] = (), **facts: Any
) -> None:
    """Finish a run; see :func:`compactvl.studies.run.finish_run`."""
    run.finish_run(job, training_needs(job.settings, job.peers), model, state, started, files, **facts)


def open_tokenizer(job: Job) -> TextTokenizer:
    """Open the tokenizer a variant reads."""
    return TextTokenizer(job.layout.run(job.study, job.settings.tokenizer, job.seed) / TOKENIZER)


def open_decoder(layout: Layout, job: Job, device: torch.device) -> GatedDecoder:
    """Open a trained decoder, in evaluation mode.

    With ``modes.temperature: released`` the Gumbel temperature is back at its first value, as it is not in the file.
    """
    folder = layout.run(job.study, job.variant, job.seed)
    settings: Decoder = job.settings
    model = GatedDecoder(settings, read_manifest(folder, "train")["vocabulary"])
    load_model(model, folder)
    return model.to(device).eval()


def open_ngram(layout: Layout, job: Job) -> NGramModel:
    """Open a counted n-gram model."""
    folder = layout.run(job.study, job.variant, job.seed)
    model = NGramModel(job.settings.order, read_manifest(folder, "train")["vocabulary"], job.settings.discount)
    model.resize(len(read_state(folder / MODEL)["pairs"]))
    load_model(model, folder)
    return model


def start_from(model: GatedDecoder, folder: Path) -> list[str]:
    """Take over the weights of another run whose names and shapes agree; return the names of those that began fresh."""
    own, other = model.state_dict(), read_state(folder / MODEL)
    shared = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
    shared.pop("temperature", None)
    model.load_state_dict(own | shared)
    return sorted(own.keys() - shared.keys() - {"temperature"})


def write_study_result(
    job: Job, name: str, benchmark: Any, predictions: pd.DataFrame, metrics: Sequence[Metric], files: Sequence[str] = ()
) -> None:
    """Write a result with what it was made with; ``files`` are the user's own that were read."""
    inputs = {"run": manifest_digest(job.layout.run(job.study, job.variant, job.seed))}
    inputs |= {f"file {Path(file).name}": sha256_file(file) for file in files}
    settings = benchmark.model_dump(mode="json")
    write_result(job.output, name, predictions, metrics, settings=settings, inputs=inputs)
