"""Train the study's variants."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.studies.base import Job
from compactvl.studies.gating.curriculum import Schedule, build_schedule, gumbel_temperature
from compactvl.studies.gating.images import ImageVectors, SeveralVectors, open_images
from compactvl.studies.gating.model import GatedDecoder, Tokens, masked_mean, next_token_loss
from compactvl.studies.gating.monitor import Monitor
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.runs import TOKENIZER, finish, open_tokenizer, run_digest, start_from
from compactvl.studies.gating.scoring import autocast
from compactvl.studies.gating.streams import Stream, open_stream, text_column
from compactvl.studies.run import write_empty_log
from compactvl.text.bpe import TextTokenizer, published, save_tokenizer, train_bpe
from compactvl.training.compute import compute_device
from compactvl.training.loop import Outcome, State, train_loop
from compactvl.training.memory import keep_freed_memory
from compactvl.training.schedule import cosine

log = logging.getLogger(__name__)
IMAGES_STANDARDISED = 2000
"""Most training images whose vectors' mean and variance are taken."""


@dataclass
class Trainer:
    """Everything a step reads, and the step itself."""

    model: GatedDecoder
    tokenizer: TextTokenizer
    schedule: Schedule
    texts: Stream | None
    captions: Stream | None
    images: ImageVectors | None

    def loss(self, state: State, rng: np.random.Generator) -> Outcome:
        """One step: a batch of text, of captions, or one of each with their losses added."""
        step, total, seen, numbers = state.step, torch.zeros(()), 0, {}
        if (number := self.schedule.text[step]) >= 0:
            rows, _ = self.texts.take(number)
            loss = self._text_loss(rows)
            total, seen, numbers["text_loss"] = total + loss, seen + len(rows), float(loss.detach())
        if (number := self.schedule.caption[step]) >= 0:
            rows, image_ids = self.captions.take(number)
            loss, more = self._caption_loss(rows, image_ids, number)
            total, seen = total + loss, seen + len(rows)
            numbers |= more
        return Outcome(total, seen, numbers)

    def _text_loss(self, rows: list[list[int]]) -> torch.Tensor:
        tokens = Tokens.of(rows, self.tokenizer.pad, self.model.device)
        with autocast(self.model.device, self.model.settings.precision):
            return next_token_loss(self.model, self.model(tokens), tokens)[0]

    def _caption_loss(
        self, rows: list[list[int]], image_ids: list[str], number: int
    ) -> tuple[torch.Tensor, dict[str, float]]:
        model, settings = self.model, self.model.settings
        first, last = settings.temperature
        temperature = gumbel_temperature(number, self.schedule.caption_steps, first, last, settings.anneal)
        model.temperature.fill_(temperature)
        tokens = Tokens.of(rows, self.tokenizer.pad, model.device)
        vectors = self.images.read(image_ids).to(model.device)
        with autocast(model.device, settings.precision):
            hidden = model(tokens, vectors)
            loss = next_token_loss(model, hidden, tokens)[0]
            numbers = {"caption_loss": float(loss.detach())}
            if settings.gate.startswith("hard"):
                numbers["temperature"] = temperature
            if model.clip is not None:
                mask = tokens.mask if settings.modes.clip_pooling == "paper" else torch.ones_like(tokens.mask)
                clip = model.clip(masked_mean(hidden.embedded, mask), hidden.seen.vectors.mean(1))
                loss, numbers["clip"] = loss + settings.auxiliary.clip * clip, float(clip.detach())
            if model.lcg is not None:
                lcg = model.lcg(hidden.embedded, tokens.mask, hidden.seen.vectors.mean(1))
                loss, numbers["lcg"] = loss + settings.auxiliary.lcg * lcg, float(lcg.detach())
        return loss, numbers


def train_decoder(job: Job) -> None:
    """Train a ``decoder`` variant and write its run."""
    started, settings, layout = time.monotonic(), job.settings, job.layout
    keep_freed_memory()
    tokenizer = open_tokenizer(job)
    text_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.texts]
    caption_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.captions] if settings.images else []
    texts = _stream(job, tokenizer, text_sets) if settings.curriculum.kind != "captions_only" else None
    captions = _stream(job, tokenizer, caption_sets) if settings.images else None
    opened = [open_images(settings.image, layout, dataset) for dataset in caption_sets]
    images = opened[0] if len(opened) == 1 else SeveralVectors(list(zip(caption_sets, opened, strict=True)))
    curriculum = settings.curriculum
    share = settings.data_share
    schedule = build_schedule(
        curriculum,
        _batches(curriculum.text_batches, share, texts),
        _batches(curriculum.caption_batches, share, captions),
        job.seed,
    )
    torch.manual_seed(job.seed)
    model = GatedDecoder(settings, tokenizer.size)
    if settings.start is not None:
        fresh = start_from(model, layout.run(job.study, settings.start, job.seed))
        log.info("%s: begins with the weights of %s, %d tensors fresh", job.variant, settings.start, len(fresh))
    if settings.images and settings.image.standardise:
        image_ids = sorted(set(captions.image_ids))
        model.image_encoder.standardise(images.read(image_ids[:: -(-len(image_ids) // IMAGES_STANDARDISED)]))
    model.to(compute_device())
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=settings.optimiser.lr, weight_decay=settings.optimiser.weight_decay, fused=True
    )
    steps = len(schedule.steps)
    monitor = Monitor(settings, layout, tokenizer, text_sets, caption_sets, opened[0] if opened else None)
    hooks = {}
    for epoch, mark in enumerate(schedule.boundaries, 1):
        hooks[mark] = lambda state, epoch=epoch: {"epoch": epoch, **(monitor(model) if monitor else {})}
    trainer = Trainer(model, tokenizer, schedule, texts, captions, images if opened else None)
    state = train_loop(
        model,
        optimiser,
        trainer.loss,
        steps=steps,
        rate=lambda step, group: cosine(
            step, peak=settings.optimiser.lr, warmup=settings.optimiser.warmup_steps, total=steps, final=0.0
        ),
        seed=job.seed,
        clip=settings.optimiser.clip,
        digest=run_digest(job),
        scratch=job.scratch,
        log_path=job.output / "log.jsonl",
        label=f"{job.variant} seed {job.seed}",
        hooks=hooks,
    )
    finish(job, model, state, started, device=model.device, vocabulary=tokenizer.size)


def _stream(job: Job, tokenizer: TextTokenizer, datasets: list[CanonicalSet]) -> Stream:
    settings = job.settings
    return open_stream(
        datasets,
        tokenizer,
        share=settings.data_share,
        longest=settings.shape.length,
        batch=settings.optimiser.batch,
        seed=job.seed,
    )


def _batches(asked: int | None, share: float, stream: Stream | None) -> int:
    """Batches an epoch: as many as asked for, in proportion to the share of the data, or all."""
    if stream is None:
        return asked or 0
    return stream.batches if asked is None else max(1, round(asked * share))


def train_tokenizer(job: Job) -> None:
    """Train or fetch a ``tokenizer`` variant and write its run."""
    started, settings = time.monotonic(), job.settings
    if settings.pretrained is not None:
        tokenizer = published(settings.pretrained)
    else:
        texts = _training_texts(job, settings.texts)
        tokenizer = train_bpe(texts, settings.vocabulary, lowercase=settings.lowercase)
    save_tokenizer(tokenizer, job.output / TOKENIZER)
    write_empty_log(job)
    finish(job, None, State(), started, [TOKENIZER], vocabulary=tokenizer.get_vocab_size())


def train_ngram(job: Job) -> None:
    """Count a unigram or bigram model and write its run."""
    started, settings = time.monotonic(), job.settings
    tokenizer = open_tokenizer(job)
    model = NGramModel(settings.order, tokenizer.size, settings.discount)
    texts = _training_texts(job, (*settings.texts, *settings.captions))
    tokens = model.fit([[tokenizer.bos, *ids, tokenizer.eos] for ids in tokenizer.pieces(texts)])
    write_empty_log(job)
    finish(job, model, State(step=0, pairs=len(texts)), started, vocabulary=tokenizer.size, tokens=tokens)


def train_random(job: Job) -> None:
    """Write the run of the random control."""
    started = time.monotonic()
    write_empty_log(job)
    finish(job, None, State(), started, vocabulary=open_tokenizer(job).size)


def _training_texts(job: Job, names: tuple[str, ...]) -> list[str]:
    texts = []
    for name in names:
        dataset = CanonicalSet.open(job.layout.dataset(name))
        texts += dataset.split("train")[text_column(dataset)].tolist()
    if not texts:
        raise UserError(f"{job.variant}: data sets {', '.join(names)} have no training text")
    return texts
