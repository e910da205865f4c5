"""ESsEN's trained models as they are evaluated: they answer items, or choose among boxes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.nn.compute import autocast
from compactvl.progress import track
from compactvl.studies.base import Job
from compactvl.studies.essen.boxes import BoxItems
from compactvl.studies.essen.model import Model
from compactvl.studies.essen.runs import open_run
from compactvl.studies.essen.settings import Grounding
from compactvl.studies.items import Items, TrainingItems
from compactvl.studies.pieces import open_tokenizer
from compactvl.vision.pixels import Shown, pixel_batches

IMAGES = 64
"""Images, or boxes, that are computed at once, about."""


@torch.inference_mode()
def item_logits(model: Model, items: Items | BoxItems, dataset: CanonicalSet, label: str = "") -> np.ndarray:
    """Return float32 (items, answers), or (items, boxes of the longest list), minus infinity where an item has fewer.

    Items of one image stand together, so that it is computed once a block.

    Args:
        dataset: holds the images.
    """
    settings, blocks = model.settings, list(_blocks(items))
    steps = ((number, _shown(items, rows)) for number, rows in enumerate(blocks))
    logits: np.ndarray | None = None
    prepared = pixel_batches(dataset, settings.pixels, steps, None)
    for rows, batch in zip(track(blocks, unit="block", label=label) if label else blocks, prepared, strict=True):
        pixels = batch.to(model.device).pixels
        with autocast(model.device, settings.precision):
            found = _logits(model, items, rows, pixels).float().cpu().numpy()
        if logits is None:
            width = max(map(len, items.boxes)) if isinstance(items, BoxItems) else found.shape[1]
            logits = np.full((len(items.ids), width), -np.inf, np.float32)
        logits[rows, : found.shape[1]] = found
    return logits


def _blocks(items: Items | BoxItems) -> Iterator[np.ndarray]:
    """Cut the items, in the order of their images, into blocks of about :data:`IMAGES` images."""
    order = np.lexsort(items.images.astype(str).T[::-1])
    sizes = [len(items.boxes[row]) for row in order] if isinstance(items, BoxItems) else [1] * len(order)
    block = (np.cumsum(sizes) - sizes) // IMAGES
    for number in np.unique(block):
        yield order[block == number]


def _shown(items: Items | BoxItems, rows: np.ndarray) -> list[Shown]:
    return items.parts(rows) if isinstance(items, BoxItems) else items.image_ids(rows)[0]


def _logits(model: Model, items: Items | BoxItems, rows: np.ndarray, pixels: Tensor) -> Tensor:
    texts = items.texts(rows)
    if isinstance(items, BoxItems):
        return model.choose(texts, model.look(pixels), items.counts(rows))
    _, place = items.image_ids(rows)
    if place is None:
        return model.answer(texts, [model.look(half, which) for which, half in enumerate(pixels.chunk(2))])
    return model.answer(texts, [model.look(pixels)], torch.from_numpy(place).to(model.device))


def mean_score(model: Model, items: TrainingItems | BoxItems, dataset: CanonicalSet) -> float:
    """What the chosen answers, or boxes, score, mean over items."""
    logits = torch.from_numpy(item_logits(model, items, dataset))
    return items.score(logits, np.arange(len(logits)))


class ItemModel:
    """A run that answers items or chooses boxes (:class:`compactvl.evaluation.abilities.Classifier`)."""

    def __init__(self, job: Job, benchmark: BenchmarkKind) -> None:
        self._model, self._tokenizer = open_run(job.run), open_tokenizer(job.run)
        self._images = job.dataset(benchmark.images or benchmark.dataset)
        self._label, self._dataset, self.device = f"{job.variant} answers", benchmark.dataset, self._model.device

    def logits(self, items: pd.DataFrame) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.Classifier`."""
        settings = self._model.settings
        if isinstance(settings, Grounding):
            asked = BoxItems(self._dataset, items, self._tokenizer, longest=settings.longest)
        else:
            form = {"longest": settings.longest, "image_pair": settings.image_pair}
            asked = Items(self._dataset, items, self._tokenizer, **form)
        return item_logits(self._model, asked, self._images, self._label)


def open_model(job: Job, benchmark: BenchmarkKind) -> ItemModel:
    """Open a run for a benchmark of its own task."""
    return ItemModel(job, benchmark)
