"""Train a decoder."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.gate_tables import COLLAPSE
from compactvl.nn.compute import autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.gating.curriculum import Schedule, build_schedule, gumbel_temperature
from compactvl.studies.gating.images import ImageVectors, open_all_images
from compactvl.studies.gating.model import GatedDecoder, masked_mean, next_token_loss
from compactvl.studies.gating.monitor import Monitor
from compactvl.studies.gating.runs import finish, open_tokenizer, start_from
from compactvl.studies.gating.settings import Optimiser
from compactvl.studies.gating.streams import Stream, open_stream
from compactvl.studies.run import run_digest
from compactvl.text.batches import TokenBatch
from compactvl.text.bpe import TextTokenizer
from compactvl.training.loop import Outcome, State, train_loop
from compactvl.training.memory import keep_freed_memory
from compactvl.training.schedule import cosine

log = logging.getLogger(__name__)
IMAGE_SIDE = ("image_encoder", "image_modulation", "cross_attention", "norm_2", "gate", "modulation", "clip", "lcg")
"""Parts that text batches do not use."""
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
        tokens = TokenBatch.of(rows, self.tokenizer.pad, self.model.device)
        with autocast(self.model.device, self.model.settings.precision):
            return next_token_loss(self.model, self.model(tokens), tokens)[0]

    def _caption_loss(
        self, rows: list[list[int]], image_ids: list[str], number: int
    ) -> tuple[torch.Tensor, dict[str, float]]:
        model, settings = self.model, self.model.settings
        first, last = settings.temperature
        temperature = gumbel_temperature(number, self.schedule.caption_steps, first, last, settings.anneal)
        model.temperature.fill_(temperature)
        tokens = TokenBatch.of(rows, self.tokenizer.pad, model.device)
        vectors = None if self.images is None else self.images.read(image_ids).to(model.device)
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

    @torch.inference_mode()
    def gate_spread(self) -> dict[str, float]:
        """``gate_sd``: how the last layer's gate, averaged over features, varies from word to word in a batch of captions."""
        if self.images is None or self.model.settings.gate == "none":
            return {}
        rows, image_ids = self.captions.take(0)
        tokens = TokenBatch.of(rows, self.tokenizer.pad, self.model.device)
        with autocast(self.model.device, self.model.settings.precision):
            gates = self.model(tokens, self.images.read(image_ids).to(self.model.device)).gates[-1]
        return {"gate_sd": float(gates.float().mean(-1)[tokens.mask].std(correction=0))}


def train_decoder(job: Job) -> None:
    """Train a ``decoder`` variant and write its run."""
    started, settings, layout = time.monotonic(), job.settings, job.layout
    keep_freed_memory()
    tokenizer = open_tokenizer(job)
    text_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.texts]
    caption_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.captions if settings.reads_captions]
    texts = _stream(job, tokenizer, text_sets) if text_sets else None
    captions = _stream(job, tokenizer, caption_sets) if caption_sets else None
    images = open_all_images(settings.image, layout, caption_sets) if settings.images else None
    curriculum = settings.curriculum
    schedule = build_schedule(
        curriculum, _batches(curriculum.text_batches, texts), _batches(curriculum.caption_batches, captions), job.seed
    )
    torch.manual_seed(job.seed)
    model = GatedDecoder(settings, tokenizer.size)
    if settings.start is not None:
        fresh = start_from(model, layout.run(job.study, settings.start, job.seed))
        log.info("%s: begins with the weights of %s, %d tensors fresh", job.variant, settings.start, len(fresh))
    if images is not None and settings.image.standardise:
        image_ids = sorted(set(captions.image_ids))
        model.image_encoder.standardise(images.read(image_ids[:: -(-len(image_ids) // IMAGES_STANDARDISED)]))
    model.to(compute_device())
    optimiser = build_optimiser(settings.optimiser, model)
    steps = len(schedule.steps)
    monitor = Monitor(settings, layout, tokenizer, text_sets, caption_sets, images)
    trainer = Trainer(model, tokenizer, schedule, texts, captions, images)

    def at_boundary(epoch: int) -> dict[str, float]:
        return {"epoch": epoch, **trainer.gate_spread(), **(monitor(model) if monitor else {})}

    hooks = {mark: partial(_numbered, at_boundary, epoch) for epoch, mark in enumerate(schedule.boundaries, 1)}
    state = train_loop(
        model,
        optimiser,
        trainer.loss,
        steps=steps,
        rate=lambda step, group: cosine(
            step, peak=group["peak"], warmup=settings.optimiser.warmup_steps, total=steps, final=0.0
        ),
        seed=job.seed,
        clip=settings.optimiser.clip,
        digest=run_digest(job),
        scratch=job.scratch,
        log_path=job.output / "log.jsonl",
        label=f"{job.variant} seed {job.seed}",
        hooks=hooks,
    )
    _warn_of_collapse(job.variant, trainer.gate_spread())
    finish(job, model, state, started, device=model.device, vocabulary=tokenizer.size)


def build_optimiser(settings: Optimiser, model: GatedDecoder) -> torch.optim.AdamW:
    """AdamW over all weights; those of the image's side are a group with their own peak rate (key ``peak``)."""
    sides: dict[bool, list[torch.nn.Parameter]] = {False: [], True: []}
    for name, parameter in model.named_parameters():
        sides[any(part in name for part in IMAGE_SIDE)].append(parameter)
    peaks = {False: settings.lr, True: settings.image_lr or settings.lr}
    groups = [{"params": parameters, "peak": peaks[image]} for image, parameters in sides.items()]
    return torch.optim.AdamW(groups, lr=settings.lr, weight_decay=settings.weight_decay, fused=True)


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


def _batches(asked: int | None, stream: Stream | None) -> int:
    """Batches an epoch: as many as asked for, or all of the stream."""
    return (0 if stream is None else stream.batches) if asked is None else asked


def _numbered(measure: Callable[[int], dict[str, float]], epoch: int, state: State) -> dict[str, float]:
    return measure(epoch)


def _warn_of_collapse(variant: str, spread: dict[str, float]) -> None:
    if spread and spread["gate_sd"] < COLLAPSE:
        log.warning(
            "%s: the gates have collapsed: from word to word they vary by %.1g (standard deviation, last layer)",
            variant,
            spread["gate_sd"],
        )
