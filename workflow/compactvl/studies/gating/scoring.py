"""Log-probabilities of texts by a trained decoder."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from compactvl.nn.compute import autocast
from compactvl.progress import Progress
from compactvl.studies.gating.images import ImageVectors
from compactvl.studies.gating.model import GatedDecoder
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.text.bpe import TextTokenizer

TOKENS_A_BATCH = 4096


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
    """A trained decoder; see :class:`compactvl.evaluation.abilities.TextScorer`.

    Args:
        model: in evaluation mode. images: task → image vectors; a task not there is scored without.
    """

    probabilities = True

    def __init__(self, model: GatedDecoder, tokenizer: TextTokenizer, images: Mapping[str, ImageVectors]) -> None:
        self.model, self.tokenizer, self._images = model, tokenizer, images
        self.longest = model.settings.shape.length

    @torch.inference_mode()
    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.TextScorer`."""
        known = self._images.get(task)
        seeing = np.array([bool(image) and known is not None for image in images])
        scores = np.empty(len(rows))
        with Progress(len(rows), "text", f"score {task}") as progress:
            for members in batches_by_length([len(row) for row in rows], seeing, tokens=TOKENS_A_BATCH):
                tokens = TokenBatch.of([rows[i] for i in members], self.tokenizer.pad, self.model.device)
                begin = torch.tensor([starts[i] for i in members], device=self.model.device)
                vectors = None
                if seeing[members[0]]:
                    vectors = known.read([images[i] for i in members]).to(self.model.device)
                with autocast(self.model.device, self.model.settings.precision):
                    states = self.model(tokens, vectors).states
                sums = continuation_log_probs(states.float(), self.model.logits, tokens, begin)
                scores[members] = sums.cpu().numpy()
                progress.update(len(members))
        return scores
