"""DiDE's trained models as they are evaluated: they answer items, and compare images with texts."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compactvl.evaluation.answers import choose
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.nn.compute import autocast
from compactvl.progress import track
from compactvl.studies.base import Job
from compactvl.studies.dide.build import open_run
from compactvl.studies.dide.images import Images, StoredImages, open_images
from compactvl.studies.dide.model import DualEncoder, FusionEncoder
from compactvl.studies.items import Items, TrainingItems
from compactvl.studies.pieces import open_tokenizer
from compactvl.text.batches import TokenBatch, batches_by_length
from compactvl.text.wordpiece import WordPiece
from compactvl.vision.identity import check_encoder

BLOCK = 64


@torch.inference_mode()
def item_logits(model: FusionEncoder | DualEncoder, items: Items, images: Images, label: str = "") -> np.ndarray:
    """Return float32 (items, answers).

    A dual encoder computes each image once, and each text once; a fusion encoder every item.
    """
    features = _Features(model, images) if isinstance(model, DualEncoder) else None
    logits = np.empty((len(items.ids), model.settings.answers), np.float32)
    batches = batches_by_length([len(row) for row in items.ids], rows=BLOCK)
    for rows in track(batches, unit="block", label=label) if label else batches:
        texts = items.texts(rows)
        with autocast(model.device, model.settings.precision):
            if features is not None:
                found = model.answer(
                    model.text_features(texts), [features(which, ids) for which, ids in enumerate(items.images[rows].T)]
                )
            else:
                found = model(texts, [images.read(list(ids)) for ids in items.images[rows].T])
        logits[rows] = found.float().cpu().numpy()
    return logits


class _Features:
    """Pooled images of a dual encoder, computed when they are first asked for."""

    def __init__(self, model: DualEncoder, images: Images) -> None:
        self._model, self._images, self._known = model, images, {}

    def __call__(self, which: int, image_ids: Sequence[str]) -> Tensor:
        missing = [one for one in dict.fromkeys(image_ids) if (which, one) not in self._known]
        if missing:
            found, _ = self._model.image_features(self._images.read(missing), which)
            self._known |= {(which, one): vector for one, vector in zip(missing, found, strict=True)}
        return torch.stack([self._known[which, one] for one in image_ids])


def mean_score(model: FusionEncoder | DualEncoder, items: TrainingItems, images: Images) -> float:
    """What the chosen answers score, mean over items."""
    return float(choose(item_logits(model, items, images), items.scores.toarray())[2].mean())


class AnswerModel:
    """A run that answers items (:class:`compactvl.evaluation.abilities.Classifier`)."""

    def __init__(self, job: Job, benchmark: BenchmarkKind) -> None:
        self._model, self._tokenizer = open_run(job.run), open_tokenizer(job.run)
        self._images = _images_for(job, benchmark.images or benchmark.dataset)
        self._label, self._dataset, self.device = f"{job.variant} answers", benchmark.dataset, self._model.device

    def logits(self, items: pd.DataFrame) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.Classifier`."""
        asked = Items(self._dataset, items, self._tokenizer, **self._model.settings.form)
        return item_logits(self._model, asked, self._images, self._label)


class PairModel:
    """A dual encoder's similarity of images and texts: the cosine of its pooled vectors."""

    reranks, kilobytes = False, None

    def __init__(self, model: DualEncoder, tokenizer: WordPiece, images: Images) -> None:
        self._model, self._tokenizer, self._images, self.device = model, tokenizer, images, model.device

    @torch.inference_mode()
    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        model, rows = self._model, self._tokenizer.encode(texts, self._model.settings.trunk.longest)
        captions = torch.empty(len(rows), model.settings.trunk.width, device=model.device)
        with autocast(model.device, model.settings.precision):
            blocks = [image_ids[start : start + BLOCK] for start in range(0, len(image_ids), BLOCK)]
            images = torch.cat([model.image_features(self._images.read(list(block)))[0].float() for block in blocks])
            for own in batches_by_length([len(row) for row in rows], rows=BLOCK):
                batch = TokenBatch.of([rows[i] for i in own], device=model.device)
                captions[torch.from_numpy(own)] = model.text_features(batch).float()
        unit = torch.nn.functional.normalize
        return (unit(images, dim=-1) @ unit(captions, dim=-1).T).cpu().numpy()

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.PairScorer`."""
        return self.similarity(image_ids, texts)[images, captions]


def open_classifier(job: Job, benchmark: BenchmarkKind) -> AnswerModel:
    """Open a run for a benchmark of its own task."""
    return AnswerModel(job, benchmark)


def open_pairs(job: Job, benchmark: BenchmarkKind) -> PairModel:
    """Open a dual encoder that was trained to retrieve."""
    return PairModel(open_run(job.run), open_tokenizer(job.run), _images_for(job, benchmark.dataset))


def _images_for(job: Job, dataset: str) -> Images:
    """Open a data set's images for a trained run; tokens must be of the encoder it was trained on."""
    images = open_images(job.settings.images, job.layout, dataset)
    if isinstance(images, StoredImages):
        check_encoder(images.store, job.run)
    return images
