"""What ESsEN's models compute for a question, and for an image, to be timed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import IMAGE, QUESTION
from compactvl.evaluation.efficiency import environment
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.nn.compute import arithmetic, autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.essen.build import build
from compactvl.studies.essen.settings import Answering
from compactvl.text.batches import TokenBatch

OWN = "own"


class Answerer:
    """A variant's model with fresh weights: times depend on sizes alone. Images of a batch are all different."""

    sizes = (OWN,)

    def __init__(self, settings: Answering) -> None:
        self._settings, self.device = settings, compute_device()
        precision = arithmetic(self.device, settings.precision)
        self.facts = environment(threads=torch.get_num_threads(), precision=precision, device=str(self.device))

    def wait(self) -> None:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def calls(self, size: str, batch: int, words: int) -> Mapping[str, Callable[[], Any]]:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`."""
        settings = self._settings
        torch.manual_seed(0)
        model = build(settings).eval().to(self.device)
        pieces = torch.randint(len(model.encoder.text.words), (batch, min(words, settings.longest)))
        texts = TokenBatch.of(pieces.tolist(), device=self.device)
        side = settings.pixels.fit.image_size
        pixels = torch.randn(batch, 3, side, side, device=self.device)

        @torch.inference_mode()
        def timed(call: Callable[[], Any]) -> Any:
            with autocast(self.device, settings.precision):
                return call()

        images = timed(lambda: [model.look(pixels)] * (2 if settings.image_pair else 1))
        return {
            QUESTION: lambda: timed(lambda: model.answer(texts, images)),
            IMAGE: lambda: timed(lambda: model.look(pixels)),
        }


def open_answerer(job: Job, benchmark: BenchmarkKind) -> Answerer:
    """Return a variant's model to be timed; its run is not read."""
    return Answerer(job.settings)
