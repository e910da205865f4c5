"""Log-probabilities of texts: the requests of language benchmarks, answered by any next-token model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.nn.compute import autocast
from compactvl.progress import Progress
from compactvl.studies.gating.images import ImageVectors
from compactvl.studies.gating.model import GatedDecoder
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.text.bpe import TextTokenizer

TOKENS_A_BATCH = 4096


class Scorer(Protocol):
    """A model that gives texts log-probabilities."""

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """Return Σ log P(row[i] | row[:i], image) over i ≥ start: float64 (n,).

        Args:
            rows: [BOS] and the text's ids. starts: index in the row where scoring begins, at least 1.
            images: image id of each row, ``""`` for none. task: where the image ids are known.
        """


def answer(requests: pd.DataFrame, scorer: Scorer, tokenizer: TextTokenizer, longest: int) -> pd.DataFrame:
    """Fill in ``log_prob`` and ``tokens`` of a table of requests (:mod:`compactvl.evaluation.language`).

    A row that occurs more than once with the same image is scored once. A row longer than the model loses the beginning
    of its context first, then the end of its continuation.

    Args:
        longest: most tokens the model takes.

    Returns:
        The requests with the two columns.
    """
    contexts = tokenizer.pieces(requests["context"].tolist())
    continuations = tokenizer.pieces(requests["continuation"].tolist())
    distinct: dict[tuple, int] = {}
    rows, starts, images, tasks, place = [], [], [], [], []
    for context, text, ends, image, task in zip(
        contexts, continuations, requests["ends"], requests["image_id"], requests["task"], strict=True
    ):
        text = [*text, tokenizer.eos] if ends else text
        text = text[: longest - 1]
        context = context[max(0, len(context) + len(text) + 1 - longest) :]
        key = (*context, -1, *text, image, task if image else "")
        if key not in distinct:
            distinct[key] = len(rows)
            rows.append([tokenizer.bos, *context, *text])
            starts.append(1 + len(context))
            images.append(image)
            tasks.append(task)
        place.append(distinct[key])
    scores = np.empty(len(rows))
    order = pd.Series(tasks).groupby(tasks, sort=False).indices
    for task, members in order.items():
        scores[members] = scorer.score(
            [rows[i] for i in members], [starts[i] for i in members], [images[i] for i in members], str(task)
        )
    counted = np.array([len(row) - start for row, start in zip(rows, starts, strict=True)])
    return requests.assign(log_prob=scores[place], tokens=counted[place])


def continuation_log_probs(
    states: Tensor, output: Callable[[Tensor], Tensor], tokens: TokenBatch, starts: Tensor
) -> Tensor:
    """Sum the log-probabilities of each row's tokens from ``starts`` on.

    Args:
        states: (B, L, d) of a causal model. output: (n, d) → logits (n, vocabulary). tokens: (B, L).
        starts: (B,) int64, at least 1.

    Returns:
        (B,) float64; logits and softmax in float32.
    """
    wanted = tokens.mask[:, 1:] & (torch.arange(1, tokens.ids.shape[1], device=starts.device) >= starts[:, None])
    targets = tokens.ids[:, 1:][wanted]
    scores = output(states[:, :-1][wanted]).float().log_softmax(-1).gather(1, targets[:, None])[:, 0]
    rows = wanted.nonzero()[:, 0]
    return torch.zeros(len(wanted), dtype=torch.float64, device=scores.device).index_add_(0, rows, scores.double())


class DecoderScorer:
    """A trained decoder.

    Args:
        model: in evaluation mode. pad: id of padding. images: task → image vectors; a task not there is scored without.
    """

    def __init__(self, model: GatedDecoder, pad: int, images: Mapping[str, ImageVectors], precision: str) -> None:
        self.model, self._pad, self._images, self._precision = model, pad, images, precision

    @torch.inference_mode()
    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """See :class:`Scorer`."""
        known = self._images.get(task)
        seeing = np.array([bool(image) and known is not None for image in images])
        scores = np.empty(len(rows))
        with Progress(len(rows), "text", f"score {task}") as progress:
            for members in batches_by_length([len(row) for row in rows], seeing, tokens=TOKENS_A_BATCH):
                tokens = TokenBatch.of([rows[i] for i in members], self._pad, self.model.device)
                begin = torch.tensor([starts[i] for i in members], device=self.model.device)
                vectors = None
                if seeing[members[0]]:
                    vectors = known.read([images[i] for i in members]).to(self.model.device)
                with autocast(self.model.device, self._precision):
                    states = self.model(tokens, vectors).states
                sums = continuation_log_probs(states.float(), self.model.output, tokens, begin)
                scores[members] = sums.cpu().numpy()
                progress.update(len(members))
        return scores


class RandomScorer:
    """The negative control."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 41])

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """See :class:`Scorer`."""
        return self._rng.standard_normal(len(rows)) - 10.0
