"""What ESsEN's models compute for a question, and for an image, to be timed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import IMAGE, QUESTION
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.evaluation.timed import TimedModel
from compactvl.studies.base import Job
from compactvl.studies.essen.build import build
from compactvl.studies.essen.settings import Answering
from compactvl.text.batches import TokenBatch


class Answerer(TimedModel):
    """A variant's model. Images of a batch are all different."""

    def __init__(self, settings: Answering) -> None:
        super().__init__(settings.precision)
        self._settings = settings

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

        images = self.run(lambda: [model.look(pixels)] * (2 if settings.image_pair else 1))
        return {
            QUESTION: lambda: self.run(lambda: model.answer(texts, images)),
            IMAGE: lambda: self.run(lambda: model.look(pixels)),
        }


def open_answerer(job: Job, benchmark: BenchmarkKind) -> Answerer:
    """Return a variant's model to be timed; its run is not read."""
    return Answerer(job.settings)
