"""Sentence vectors of a MiniLM sentence encoder: mean of the last layer's tokens, L2-normalised."""

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from compactvl.errors import UserError
from compactvl.nn.bert import BertEncoder, BertShape, from_transformers
from compactvl.nn.compute import autocast, compute_device
from compactvl.progress import Progress
from compactvl.records.intact import check_recorded
from compactvl.records.record import read_record
from compactvl.text.batches import batches_by_length
from compactvl.text.wordpiece import WordPiece

log = logging.getLogger(__name__)
LONGEST = 128


def load_bert(path: str | Path, layers: int | None = None) -> BertEncoder:
    """Load a BERT encoder, or its first ``layers``, from converted weights: ``.safetensors`` with transformers' keys.

    Raises:
        UserError: the file is missing, corrupt, or has fewer layers than asked for.
    """
    if not Path(path).is_file():
        raise UserError(f"{path} is missing: convert the weights first (compactvl weights)")
    check_recorded(path, Path(path).with_suffix(".json"))
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own SafetensorError, not an OSError
        raise UserError(f"{path} is not a readable safetensors file ({error}); delete it and run again") from error
    state = {key.removeprefix("bert."): value.float() for key, value in state.items()}
    there = 1 + max((int(k.split(".")[2]) for k in state if k.startswith("encoder.layer.")), default=-1)
    count = there if layers is None else layers
    if count > there:
        raise UserError(f"{path} has {there} layers, {count} were asked for; set `layers` to {there} or fewer")
    state = from_transformers(state, count)
    encoder = BertEncoder(BertShape.of(state))
    encoder.load_state_dict(state, strict=True)
    return encoder


class SentenceEncoder:
    """A frozen sentence encoder of converted weights, beside which its tokenizer lies as ``<name>.tokenizer.json``.

    Args:
        canonical: whether texts go through :func:`compactvl.text.wordpiece.canonical_caption` first.

    Raises:
        UserError: a file is missing or damaged, or the model does not take the mean of its tokens.
    """

    def __init__(self, weights: str | Path, precision: str = "bf16", canonical: bool = True) -> None:
        self.weights = weights = Path(weights)
        self.tokenizer = WordPiece.beside(weights)
        self.device = compute_device()
        pooling = read_record(weights.with_suffix(".json")).get("config", {}).get("pooling", "mean")
        if pooling != "mean":
            raise UserError(f"{weights}: its sentence vectors are {pooling}, expected mean; choose a mean-pooled BERT")
        self.bert = load_bert(weights).eval().requires_grad_(False).to(self.device)
        self.precision, self.canonical = precision, canonical

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch: int = 128, label: str = "embed texts") -> np.ndarray:
        """Return unit vectors, float32 (len(texts), width). Texts of equal length share a batch, so nothing is padded.

        Longer texts are cut at :data:`LONGEST` word pieces, which is told.

        Raises:
            UserError: a text is longer than the model's positions.
        """
        ids = self.tokenizer.encode(texts, sys.maxsize, canonical=self.canonical)
        if cut := sum(len(row) > LONGEST for row in ids):
            log.warning(
                "%s: %d texts are longer than the %d tokens it reads; their ends are cut off", label, cut, LONGEST
            )
        ids = [row if len(row) <= LONGEST else [*row[: LONGEST - 1], row[-1]] for row in ids]
        lengths = [len(row) for row in ids]
        if (most := max(lengths, default=0)) > (positions := self.bert.shape.positions):
            raise UserError(
                f"{self.weights}: a text has {most} word pieces, the model {positions} positions; "
                f"choose a BERT with {LONGEST} or more"
            )
        result = np.empty((len(ids), self.bert.shape.width), np.float32)
        with Progress(len(ids), "text", label) as progress:
            for rows in batches_by_length(lengths, lengths, rows=batch):
                words = torch.tensor([ids[row] for row in rows], device=self.device)
                with autocast(self.device, self.precision):
                    hidden = self.bert.encode_words(words, None)
                result[rows] = F.normalize(hidden.float().mean(1), dim=-1).cpu().numpy()
                progress.update(len(rows))
        return result
