"""Runs of the gating study, opened again."""

from pathlib import Path

from compactvl.nn.compute import compute_device
from compactvl.records.intact import check_files
from compactvl.records.record import read_manifest
from compactvl.studies.base import Job
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.settings import Decoder, NGram
from compactvl.studies.run import read_settings
from compactvl.text.bpe import TextTokenizer
from compactvl.training.checkpoint import load_model, read_state

TOKENIZER = "tokenizer.json"


def open_tokenizer(job: Job) -> TextTokenizer:
    """Open the tokenizer a variant reads."""
    folder = job.peer_run(job.settings.tokenizer)
    check_files(folder, TOKENIZER)
    return TextTokenizer(folder / TOKENIZER)


def open_decoder(run: Path) -> GatedDecoder:
    """Open a trained decoder, in evaluation mode, on :func:`compactvl.nn.compute.compute_device`.

    With ``modes.temperature: released`` the Gumbel temperature is back at its first value, as it is not in the file.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or not a decoder's.
    """
    model = GatedDecoder(read_settings(run, Decoder), read_manifest(run)["vocabulary"])
    load_model(model, run)
    return model.to(compute_device()).eval()


def open_ngram(run: Path) -> NGramModel:
    """Open a counted n-gram model; it computes on the CPU.

    Raises:
        UserError: the run is missing, unfinished, corrupt, or not an n-gram model's.
    """
    settings, state = read_settings(run, NGram), read_state(run)
    model = NGramModel(settings.order, read_manifest(run)["vocabulary"], settings.discount)
    model.resize(len(state["pairs"]))
    load_model(model, run, state)
    return model


def start_from(model: GatedDecoder, folder: Path) -> list[str]:
    """Take over the weights of another run whose names and shapes agree; return the names of those that began fresh."""
    own, other = model.state_dict(), read_state(folder)
    shared = {key: value for key, value in other.items() if key in own and own[key].shape == value.shape}
    shared.pop("temperature", None)
    model.load_state_dict(own | shared)
    return sorted(own.keys() - shared.keys() - {"temperature"})
