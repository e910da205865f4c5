"""Training on items: with answers, or with boxes."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from compactvl.nn.compute import autocast
from compactvl.nn.heads import hard_labels
from compactvl.studies.base import Job
from compactvl.studies.essen.boxes import BoxItems
from compactvl.studies.essen.fit import BEST, fit
from compactvl.studies.essen.model import Model
from compactvl.studies.essen.open import mean_score
from compactvl.studies.essen.runs import begin
from compactvl.studies.items import TrainingItems
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Hooks, Loss, Outcome, State, evenly

ByStep = Callable[[int], Tensor]


def train_on_answers(job: Job) -> None:
    """Train an ``answering`` variant and write its run."""
    settings, dataset = job.settings, job.dataset(job.settings.dataset)
    tokenizer = WordPiece.beside(job.layout.weights(settings.tokenizer))
    options = {"answers": settings.answers, "longest": settings.longest, "image_pair": settings.image_pair}
    items = TrainingItems(dataset, "train", tokenizer, share=settings.share, **options)
    model = begin(job)

    def rows_of(number: int) -> np.ndarray:
        rng = np.random.default_rng([job.seed, number])
        return items.draw(settings.optimiser.micro_batch, rng, settings.questions_an_image)

    def loss(pixels: ByStep) -> Loss:
        def one(state: State, rng: np.random.Generator) -> Outcome:
            rows = rows_of(number := state.micro_batch(job.settings.optimiser.accumulate))
            _, place = items.image_ids(rows)
            with autocast(model.device, settings.precision):
                if place is None:
                    images = [model.look(half, which) for which, half in enumerate(pixels(number).chunk(2))]
                else:
                    images, place = [model.look(pixels(number))], torch.from_numpy(place).to(model.device)
                logits = model.answer(items.texts(rows), images, place)
            return Outcome(hard_labels(logits, items.targets(rows)), len(rows), {"score": items.score(logits, rows)})

        return one

    def held_out() -> TrainingItems:
        return TrainingItems(dataset, "val", tokenizer, known_only=False, **options)

    fit(job, model, lambda number: items.image_ids(rows_of(number))[0], loss, validations(job, model, held_out))


def train_on_boxes(job: Job) -> None:
    """Train a ``grounding`` variant and write its run."""
    settings, dataset = job.settings, job.dataset(job.settings.dataset)
    tokenizer = WordPiece.beside(job.layout.weights(settings.tokenizer))
    items = BoxItems(dataset.name, dataset.split("train"), tokenizer, longest=settings.longest, share=settings.share)
    model = begin(job)

    def rows_of(number: int) -> np.ndarray:
        return items.draw(settings.optimiser.micro_batch, np.random.default_rng([job.seed, number]))

    def loss(pixels: ByStep) -> Loss:
        def one(state: State, rng: np.random.Generator) -> Outcome:
            rows = rows_of(number := state.micro_batch(job.settings.optimiser.accumulate))
            with autocast(model.device, settings.precision):
                logits = model.choose(items.texts(rows), model.look(pixels(number)), items.counts(rows))
            return Outcome(hard_labels(logits, items.targets(rows)), len(rows), {"score": items.score(logits, rows)})

        return one

    def held_out() -> BoxItems:
        return BoxItems(dataset.name, dataset.split("val"), tokenizer, longest=settings.longest)

    fit(job, model, lambda number: items.parts(rows_of(number)), loss, validations(job, model, held_out))


def validations(job: Job, model: Model, held_out: Callable[[], TrainingItems | BoxItems]) -> Hooks | None:
    """Score the validation items as often as the settings say, at even distances."""
    settings = job.settings
    if not settings.validations:
        return None
    items, images = held_out(), job.dataset(settings.images_from)
    return evenly(
        settings.validations, settings.optimiser.steps, lambda state: {BEST: mean_score(model, items, images)}
    )
