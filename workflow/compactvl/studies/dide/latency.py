"""What DiDE's models compute for a question, and for an image, to be timed."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import IMAGE, OWN, QUESTION
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.evaluation.timed import TimedModel
from compactvl.studies.base import Job
from compactvl.studies.dide.images import ImageBatch
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.dide.parameters import build_unloaded
from compactvl.studies.dide.settings import Answering, PixelImages, TokenImages, Trunk
from compactvl.text.batches import TokenBatch

PUBLISHED = "published"
PUBLISHED_ANSWERS, SIDE = 3129, 384
"""Of VQAv2; pixels a side of an image in the published size."""


class Answerer(TimedModel):
    """A variant's model. Images of a batch are all different."""

    sizes = (OWN, PUBLISHED)

    def __init__(self, settings: Answering) -> None:
        super().__init__(settings.precision)
        published = {
            "trunk": Trunk(weights=settings.trunk.weights),
            "images": PixelImages(input="pixels"),
            "answers": PUBLISHED_ANSWERS,
        }
        self._settings = {OWN: settings, PUBLISHED: settings.model_copy(update=published)}

    @torch.inference_mode()
    def calls(self, size: str, batch: int, words: int) -> Mapping[str, Callable[[], Any]]:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`."""
        settings = self._settings[size]
        torch.manual_seed(0)
        model = build_unloaded(settings).eval().to(self.device)
        texts = TokenBatch.of(torch.randint(settings.trunk.vocabulary, (batch, words)).tolist(), device=self.device)
        images = [ImageBatch(torch.randn(batch, *_shape(settings.images), device=self.device))]
        images *= 2 if settings.image_pair else 1
        if isinstance(model, FusionEncoder):
            return {QUESTION: lambda: self.run(lambda: model(texts, images))}
        features = self.run(lambda: _features(model, images))
        return {
            QUESTION: lambda: self.run(lambda: model.answer(model.text_features(texts), features)),
            IMAGE: lambda: self.run(lambda: _features(model, images)),
        }


def _features(model: DualEncoder, images: list[ImageBatch]) -> list[torch.Tensor]:
    return [model.image_features(batch, which)[0] for which, batch in enumerate(images)]


def _shape(images: TokenImages | PixelImages) -> tuple[int, ...]:
    return (images.side**2, images.width) if isinstance(images, TokenImages) else (3, SIDE, SIDE)


def open_answerer(job: Job, benchmark: BenchmarkKind) -> Answerer:
    """Return a variant's model to be timed; its run is not read."""
    return Answerer(job.settings)
