"""What EDJE's joint encoder computes for a pair, to be timed beside models that answer questions."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import QUESTION
from compactvl.evaluation.efficiency import environment
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.nn.compute import arithmetic, autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.edje.parameters import build_unloaded
from compactvl.text.batches import TokenBatch

OWN, SEP = "own", 102
"""Its own size; the id of [SEP] in BERT's vocabulary."""


class Pairs:
    """A joint encoder with fresh weights: times depend on sizes alone. Images are stored tokens, computed long before."""

    sizes = (OWN,)

    def __init__(self, job: Job) -> None:
        self._settings, self._peers, self.device = job.settings, job.peers, compute_device()
        threads, precision = torch.get_num_threads(), arithmetic(self.device, job.settings.precision)
        self.facts = environment(threads=threads, precision=precision, device=str(self.device))

    def wait(self) -> None:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def calls(self, size: str, batch: int, words: int) -> Mapping[str, Callable[[], Any]]:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`; a question is a pair of image and caption."""
        torch.manual_seed(0)
        model = build_unloaded(self._settings, self._peers).eval().to(self.device)
        vocabulary, width = model.bert.embeddings.word.weight.shape
        captions = TokenBatch.of(torch.randint(vocabulary, (batch, words)).tolist(), device=self.device)
        tokens = torch.randn(batch, model.tokens, width, device=self.device)

        @torch.inference_mode()
        def score() -> Any:
            with autocast(self.device, self._settings.precision):
                return model.match(tokens, captions, *model.word_vectors(captions, SEP))

        return {QUESTION: score}


def open_pairs_timed(job: Job, benchmark: BenchmarkKind) -> Pairs:
    """Return a variant's model to be timed; its run is not read."""
    return Pairs(job)
