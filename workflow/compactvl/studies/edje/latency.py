"""What EDJE's joint encoder computes for a pair, to be timed beside models that answer questions."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import QUESTION
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.evaluation.timed import TimedModel
from compactvl.studies.base import Job
from compactvl.studies.edje.parameters import build_unloaded
from compactvl.text.batches import TokenBatch

SEP = 102
"""The id of [SEP] in BERT's vocabulary."""


class Pairs(TimedModel):
    """A joint encoder. Images are stored tokens, computed long before."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.settings.precision)
        self._settings, self._peers = job.settings, job.peers

    @torch.inference_mode()
    def calls(self, size: str, batch: int, words: int) -> Mapping[str, Callable[[], Any]]:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`; a question is a pair of image and caption."""
        torch.manual_seed(0)
        model = build_unloaded(self._settings, self._peers).eval().to(self.device)
        vocabulary, width = model.bert.embeddings.word.weight.shape
        captions = TokenBatch.of(torch.randint(vocabulary, (batch, words)).tolist(), device=self.device)
        tokens = torch.randn(batch, model.tokens, width, device=self.device)

        return {QUESTION: lambda: self.run(lambda: model.match(tokens, captions, *model.word_vectors(captions, SEP)))}


def open_pairs_timed(job: Job, benchmark: BenchmarkKind) -> Pairs:
    """Return a variant's model to be timed; its run is not read."""
    return Pairs(job)
