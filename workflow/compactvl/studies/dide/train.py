"""Training on items with answers: the teacher by their answers; the student by them, by the teacher's, by its attention."""

import numpy as np
import torch
from torch import Tensor, nn

from compactvl.data.canonical import CanonicalSet
from compactvl.files import write_json
from compactvl.nn.compute import autocast
from compactvl.nn.heads import hard_labels
from compactvl.studies.base import Job
from compactvl.studies.dide import objectives
from compactvl.studies.dide.build import build, open_run
from compactvl.studies.dide.distillation import RememberedTeacher, Teacher, distil, watched
from compactvl.studies.dide.fit import fit
from compactvl.studies.dide.images import ByStep, ImageBatch, Images, StoredImages, open_images, pick
from compactvl.studies.dide.maps import write_maps
from compactvl.studies.dide.model import Attended, DualEncoder, FusionEncoder
from compactvl.studies.dide.open import mean_score
from compactvl.studies.dide.settings import Fusion
from compactvl.studies.items import TrainingItems
from compactvl.studies.pieces import copy_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Outcome, State, evenly

ANSWERS = "answers.json"
BEST = "val_score"


class Trainer:
    """Losses of a batch of items.

    Args:
        model: what is trained. teacher: of the task, or ``None``.
        images: images of a step's items.
    """

    def __init__(
        self, job: Job, model: nn.Module, teacher: Teacher | None, items: TrainingItems, images: ByStep
    ) -> None:
        self.settings, self.seed, self.model, self.teacher = job.settings, job.seed, model, teacher
        self.items, self.images = items, images

    def loss(self, state: State, rng: np.random.Generator) -> Outcome:
        """One micro-batch's losses."""
        settings, number = self.settings, state.micro_batch(self.settings.optimiser.accumulate)
        rows = draw(self.items, settings, self.seed, number)
        texts, (images, place) = self.items.texts(rows), split_pairs(self.images(number), self.items, rows)
        with autocast(self.model.device, settings.precision):
            if isinstance(settings, Fusion):
                logits = self.model(texts, images, place)
                parts = {"hard": hard_labels(logits, self.items.targets(rows))}
                weights = {"hard": 1.0}
            else:
                logits, parts = self._student(rows, texts, images, place)
                losses = settings.losses
                weights = {"hard": losses.hard, "soft": losses.soft, "attention": losses.attention.weight}
        total = sum(weights[name] * part for name, part in parts.items())
        numbers = {name: float(part.detach()) for name, part in parts.items()} if len(parts) > 1 else {}
        return Outcome(total, len(rows), numbers | {"score": self.items.score(logits, rows)})

    def _student(
        self, rows: np.ndarray, texts: TokenBatch, images: list[ImageBatch], place: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        losses, parts = self.settings.losses, {}
        learned = Attended(watched(losses.attention, self.settings.trunk.layers))
        logits = self.model(texts, images, place, learned if learned.layers else None)
        if losses.hard:
            parts["hard"] = hard_labels(logits, self.items.targets(rows))
        if self.teacher is not None:
            answers, maps = self.teacher(rows, texts, images, place)
            if losses.soft:
                parts["soft"] = objectives.soft_labels(logits, answers, self.items.several)
            if learned.layers:
                parts["attention"] = distil(learned, maps, texts, losses.attention.queries)
        return logits, parts


def draw(items: TrainingItems, settings: object, seed: int, number: int) -> np.ndarray:
    """Items of a micro-batch, by its number alone: images are prepared before its losses are asked for."""
    rng = np.random.default_rng([seed, number])
    return items.draw(settings.optimiser.micro_batch, rng, settings.questions_an_image)


def split_pairs(batch: ImageBatch, items: TrainingItems, rows: np.ndarray) -> tuple[list[ImageBatch], Tensor | None]:
    """Cut a step's images into items' first and second ones; with one image an item, say which of the batch is whose."""
    _, place = items.image_ids(rows)
    if place is not None:
        return [batch], torch.from_numpy(place).to(batch.values.device)
    first = torch.arange(len(rows), device=batch.values.device)
    return [pick(batch, first), pick(batch, first + len(rows))], None


def train_fusion(job: Job) -> None:
    """Train a ``fusion`` variant and write its run."""
    _train(job, FusionEncoder, None)


def train_dual(job: Job) -> None:
    """Train a ``dual`` variant and write its run."""
    teacher = job.settings.teacher
    _train(job, DualEncoder, open_run(job.peer_run(teacher), Fusion) if teacher else None)


def _train(job: Job, form: type[FusionEncoder] | type[DualEncoder], teacher: FusionEncoder | None) -> None:
    settings, layout = job.settings, job.layout
    dataset = CanonicalSet.open(layout.dataset(settings.dataset))
    tokenizer = WordPiece.beside(layout.weights(settings.trunk.weights))
    items = TrainingItems(dataset, "train", tokenizer, answers=settings.answers, **settings.form)
    images = open_images(settings.images, layout, settings.images_of or settings.dataset)
    model = build(job, form, tokenizer, images, sorted(set(items.images.ravel())), len(items.answers))
    hooks = {}
    if settings.validations:
        held_out = TrainingItems(dataset, "val", tokenizer, answers=settings.answers, known_only=False, **settings.form)
        hooks = evenly(
            settings.validations, settings.optimiser.steps, lambda state: {BEST: mean_score(model, held_out, images)}
        )

    teaching = None if teacher is None else _teaching(job, teacher, items, images)

    def ids_of(number: int) -> list[str]:
        return items.image_ids(draw(items, settings, job.seed, number))[0]

    fit(
        job,
        model,
        images,
        ids_of,
        lambda by_step: Trainer(job, model, teaching, items, by_step).loss,
        hooks=hooks,
        best=BEST if hooks else None,
        files=lambda model: [
            copy_tokenizer(job, settings.trunk.weights),
            _write_answers(job, items),
            write_maps(job, model, dataset, images, tokenizer),
        ],
    )


def _teaching(job: Job, teacher: FusionEncoder, items: TrainingItems, images: Images) -> Teacher:
    """Let the teacher see every item once, where images do not change and items come again; else with the student."""
    settings = job.settings
    layers = watched(settings.losses.attention, settings.trunk.layers)
    if isinstance(images, StoredImages) and settings.optimiser.steps * settings.optimiser.batch > len(items.ids):
        return RememberedTeacher(teacher, layers, items, images, f"{settings.teacher} teaches")
    return Teacher(teacher, layers)


def _write_answers(job: Job, items: TrainingItems) -> str:
    write_json(job.output / ANSWERS, {"answers": items.answers, "several": items.several})
    return ANSWERS
