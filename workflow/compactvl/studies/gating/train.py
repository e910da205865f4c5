"""Train a decoder."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.gate_tables import COLLAPSE
from compactvl.nn.compute import autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.gating.curriculum import Schedule, build_schedule, gumbel_temperature
from compactvl.studies.gating.images import ImageVectors, OrZeros, open_all_images
from compactvl.studies.gating.model import GatedDecoder, masked_mean, next_token_loss
from compactvl.studies.gating.monitor import Monitor
from compactvl.studies.gating.runs import open_tokenizer, start_from
from compactvl.studies.gating.streams import Stream, joined, open_stream
from compactvl.studies.run import train
from compactvl.text.batches import TokenBatch
from compactvl.text.bpe import TextTokenizer
from compactvl.training.loop import Outcome, State

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
        """One micro-batch of a step: a batch of text, of captions, or one of each with their losses added."""
        step, total, seen, numbers = state.step, torch.zeros(()), 0, {}
        accumulate = self.model.settings.optimiser.accumulate
        if (number := self.schedule.text[step]) >= 0:
            rows, _ = self.texts.take(number * accumulate + state.part)
            loss = self._text_loss(rows)
            total, seen, numbers["text_loss"] = total + loss, seen + len(rows), float(loss.detach())
        if (number := self.schedule.caption[step]) >= 0:
            rows, image_ids = self.captions.take(number * accumulate + state.part)
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
                clip = model.clip(self._pooled(tokens, hidden.embedded), hidden.seen.vectors.mean(1))
                loss, numbers["clip"] = loss + settings.auxiliary.clip * clip, float(clip.detach())
            if model.lcg is not None:
                lcg = model.lcg(hidden.embedded, tokens.mask, hidden.seen.vectors.mean(1))
                loss, numbers["lcg"] = loss + settings.auxiliary.lcg * lcg, float(lcg.detach())
        return loss, numbers

    def _pooled(self, tokens: TokenBatch, embedded: torch.Tensor) -> torch.Tensor:
        """Mean of a caption's embeddings, (B, d); as released that of all places, padded to the longest there may be."""
        settings = self.model.settings
        if settings.modes.clip_pooling == "paper":
            return masked_mean(embedded, tokens.mask)
        room = settings.shape.length - tokens.ids.shape[1]
        return self.model.embed(
            TokenBatch(F.pad(tokens.ids, (0, room), value=self.tokenizer.pad), tokens.lengths)
        ).mean(1)

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
    settings, layout, optimiser = job.settings, job.layout, job.settings.optimiser
    tokenizer = open_tokenizer(job)
    text_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.texts]
    caption_sets = [CanonicalSet.open(layout.dataset(name)) for name in settings.captions if settings.reads_captions]
    texts = _stream(job, tokenizer, text_sets) if text_sets else None
    captions = _stream(job, tokenizer, caption_sets) if caption_sets else None
    images = open_all_images(settings.image, layout, caption_sets) if settings.images else None
    curriculum = settings.curriculum
    batches = [
        _batches(curriculum.text_batches, texts, optimiser.accumulate),
        _batches(curriculum.caption_batches, captions, optimiser.accumulate),
    ]
    if settings.shuffles_samples:
        if images is not None:
            images = OrZeros(images, captions.image_ids[0])
        texts, captions, batches = None, joined(texts, captions), [0, sum(batches)]
    schedule = build_schedule(curriculum, *batches, job.seed)
    torch.manual_seed(job.seed)
    model = GatedDecoder(settings, tokenizer.size)
    if settings.start is not None:
        fresh = start_from(model, job.peer_run(settings.start))
        log.info("%s: begins with the weights of %s, %d tensors fresh", job.variant, settings.start, len(fresh))
    if images is not None and settings.image.standardise:
        image_ids = sorted({*captions.image_ids} - {""})
        model.image_encoder.standardise(images.read(image_ids[:: -(-len(image_ids) // IMAGES_STANDARDISED)]))
    model.to(compute_device())
    monitor = Monitor(settings, layout, tokenizer, text_sets, caption_sets, images)
    trainer = Trainer(model, tokenizer, schedule, texts, captions, images)
    epochs = {step: epoch for epoch, step in enumerate(schedule.boundaries, 1)}

    def at_boundary(state: State) -> dict[str, float]:
        spread = trainer.gate_spread()
        if spread and state.step == schedule.boundaries[-1] and spread["gate_sd"] < COLLAPSE:
            log.warning(
                "%s: the gates have collapsed: from word to word they vary by %.1g (standard deviation, last layer)",
                job.variant,
                spread["gate_sd"],
            )
        return {"epoch": epochs[state.step], **spread, **(monitor(model) if monitor else {})}

    train(
        job,
        model,
        optimiser,
        trainer.loss,
        steps=len(schedule.steps),
        epoch=schedule.boundaries[0],
        groups={"image": model.image_side()},
        hooks=dict.fromkeys(epochs, at_boundary),
        start=settings.start,
        vocabulary=tokenizer.size,
    )


def _stream(job: Job, tokenizer: TextTokenizer, datasets: list[CanonicalSet]) -> Stream:
    settings = job.settings
    return open_stream(
        datasets,
        tokenizer,
        share=settings.data_share,
        longest=settings.shape.length,
        batch=settings.optimiser.micro_batch,
        seed=job.seed,
    )


def _batches(asked: int | None, stream: Stream | None, accumulate: int) -> int:
    """Batches an epoch: as many as asked for, or all of the stream, whose batches are micro-batches."""
    return (0 if stream is None else -(-stream.batches // accumulate)) if asked is None else asked
