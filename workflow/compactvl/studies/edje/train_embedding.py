"""Train the embedding models: projections on frozen features, or the adapter by late interaction."""

import time

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.studies.base import Job
from compactvl.studies.edje.embedding import EmbeddingModel, symmetric_cross_entropy
from compactvl.studies.edje.optimisers import build_optimiser, build_schedule
from compactvl.studies.edje.run import finish_run
from compactvl.studies.edje.similarity import build_late_interaction, image_features, open_store
from compactvl.studies.edje.stores import encoder_of
from compactvl.studies.run import run_digest
from compactvl.text.batches import TokenBatch
from compactvl.text.vectors import TextVectors
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Outcome, State, train_loop


def train_embedding(job: Job) -> None:
    """Train the projections of an ``embedding`` variant by a contrastive loss over its data set's training pairs."""
    started, settings, layout = time.monotonic(), job.settings, job.layout
    pairs = Pairs.of(CanonicalSet.open(layout.dataset(settings.dataset)), "train")
    store = open_store(settings, layout, settings.dataset)
    vectors = TextVectors(layout.texts(settings.text_encoder, settings.dataset))
    texts = torch.from_numpy(vectors.get(pairs.captions))
    features = image_features(settings, store, pairs.image_ids)
    torch.manual_seed(job.seed)
    model = EmbeddingModel(settings)

    def loss(state: State, rng: np.random.Generator) -> Outcome:
        images, captions = pairs.batch(settings.optimiser.batch, rng)
        same = torch.from_numpy(pairs.matching(captions))
        value, logits = model.loss(model.embed_images(features[images].float()), model.text(texts[captions]), same)
        correct = logits.argmax(1) == torch.arange(len(logits))
        return Outcome(value, len(images), {"accuracy": float(correct.float().mean())})

    state = train_loop(
        model,
        build_optimiser(settings.optimiser, model),
        loss,
        steps=settings.optimiser.steps,
        rate=build_schedule(settings.optimiser, len(pairs.image_ids)),
        seed=job.seed,
        clip=settings.optimiser.clip,
        digest=run_digest(job),
        scratch=job.scratch,
        log_path=job.output / "log.jsonl",
        label=f"{job.variant} seed {job.seed}",
    )
    finish_run(job, model, state, started, encoder=encoder_of(store))


def train_late_interaction(job: Job) -> None:
    """Train an adapter so that its tokens match the frozen word vectors of the caption, contrastively in the batch."""
    started, settings, layout = time.monotonic(), job.settings, job.layout
    pairs = Pairs.of(CanonicalSet.open(layout.dataset(settings.dataset)), "train")
    store = open_store(settings, layout, settings.dataset)
    tokenizer = WordPiece.beside(layout.weights(settings.joint.weights))
    ids = tokenizer.encode(pairs.captions, settings.joint.longest_caption)
    torch.manual_seed(job.seed)
    model = build_late_interaction(settings, layout)

    def loss(state: State, rng: np.random.Generator) -> Outcome:
        images, captions = pairs.batch(settings.optimiser.batch, rng)
        patches = torch.from_numpy(store.read([pairs.image_ids[i] for i in images])).float()
        words = TokenBatch.of([ids[caption][1:-1] for caption in captions])
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
            logits = model.scores(model.compress(patches), words.ids, words.mask)
        same = torch.from_numpy(pairs.matching(captions))
        correct = logits.argmax(1) == torch.arange(len(logits))
        return Outcome(symmetric_cross_entropy(logits, same), len(images), {"accuracy": float(correct.float().mean())})

    state = train_loop(
        model,
        build_optimiser(settings.optimiser, model, model.adapter.parameters()),
        loss,
        steps=settings.optimiser.steps,
        rate=build_schedule(settings.optimiser, len(pairs.image_ids)),
        seed=job.seed,
        clip=settings.optimiser.clip,
        digest=run_digest(job),
        scratch=job.scratch,
        log_path=job.output / "log.jsonl",
        label=f"{job.variant} seed {job.seed}",
    )
    finish_run(job, model, state, started, encoder=encoder_of(store))
