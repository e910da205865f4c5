"""Gates and surprisal word by word: the position that predicts a word's pieces stands for the word (paper: gate analysis)."""

from collections.abc import Sequence

import numpy as np
import torch

from compactvl.evaluation.gate_values import WordValues
from compactvl.nn.compute import autocast
from compactvl.progress import Progress
from compactvl.studies.gating.images import ImageVectors
from compactvl.studies.gating.model import GatedDecoder
from compactvl.studies.gating.scoring import TOKENS_A_BATCH
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.text.bpe import TextTokenizer


@torch.inference_mode()
def word_values(
    model: GatedDecoder,
    tokenizer: TextTokenizer,
    texts: Sequence[Sequence[str]],
    image_ids: Sequence[str],
    images: ImageVectors,
) -> list[WordValues]:
    """Run texts with their images, and again without.

    Args:
        texts: each a list of words. image_ids: one a text.
    """
    # As in training: GPT-2's first word has no space before it and other pieces than with one.
    flat = tokenizer.pieces([f" {word}" if place else word for words in texts for place, word in enumerate(words)])
    pieces_of, place = [], 0
    for words in texts:
        pieces_of.append(flat[place : place + len(words)])
        place += len(words)
    rows = [
        [tokenizer.bos, *(i for word in pieces for i in word)][: model.settings.shape.length] for pieces in pieces_of
    ]
    values: list[WordValues | None] = [None] * len(rows)
    with Progress(len(rows), "text", "gates") as progress:
        for members in batches_by_length([len(row) for row in rows], tokens=TOKENS_A_BATCH):
            tokens = TokenBatch.of([rows[i] for i in members], tokenizer.pad, model.device)
            vectors = images.read([image_ids[i] for i in members]).to(model.device)
            with autocast(model.device, model.settings.precision):
                hidden, without = model(tokens, vectors), model(tokens)
            surprisal = _surprisal(model, hidden.states, tokens)
            blind = _surprisal(model, without.states, tokens)
            gates = np.stack([g.float().mean(-1).cpu().numpy() for g in hidden.gates])
            spread = hidden.gates[-1].float().std(-1, correction=0).cpu().numpy()
            for row, i in enumerate(members):
                values[i] = _by_word(pieces_of[i], gates[:, row], spread[row], surprisal[row], blind[row])
            progress.update(len(members))
    return values


def _surprisal(model: GatedDecoder, states: torch.Tensor, tokens: TokenBatch) -> np.ndarray:
    """−log P of each token from those before it: (B, L − 1), of token 1, 2, …"""
    logs = model.logits(states[:, :-1].float()).log_softmax(-1)
    return -logs.gather(-1, tokens.ids[:, 1:, None])[..., 0].cpu().numpy()


def _by_word(
    pieces: Sequence[Sequence[int]], gates: np.ndarray, spread: np.ndarray, surprisal: np.ndarray, blind: np.ndarray
) -> WordValues:
    """Average over each word's pieces; piece k of the text is predicted at position k, as [BOS] is position 0.

    Words cut off at the end of a long text get no values: they are left out of every array but ``pieces``.
    """
    counts = np.array([len(word) for word in pieces])
    ends = np.cumsum(counts)
    whole = ends <= len(surprisal)
    spans = [slice(end - count, end) for count, end in zip(counts[whole], ends[whole], strict=True)]
    return WordValues(
        counts[whole],
        np.stack([gates[:, span].mean(1) for span in spans], axis=1) if spans else np.empty((len(gates), 0)),
        np.array([spread[span].mean() for span in spans]),
        np.array([surprisal[span].sum() for span in spans]),
        np.array([blind[span].sum() for span in spans]),
    )
