"""Train the embedding models: projections on frozen features, or the adapter by late interaction."""

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.nn.compute import autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.edje.embedding import EmbeddingModel, symmetric_cross_entropy
from compactvl.studies.edje.similarity import build_late_interaction, image_features, open_store
from compactvl.studies.run import train
from compactvl.text.batches import TokenBatch
from compactvl.text.vectors import TextVectors
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Outcome, State
from compactvl.vision.identity import encoder_of


def train_embedding(job: Job) -> None:
    """Train the projections of an ``embedding`` variant by a contrastive loss over its data set's training pairs."""
    settings, layout, device = job.settings, job.layout, compute_device()
    pairs = Pairs.of(CanonicalSet.open(layout.dataset(settings.dataset)), "train")
    store = open_store(settings, layout, settings.dataset)
    vectors = TextVectors(layout.texts(settings.text_encoder, settings.dataset))
    texts = torch.from_numpy(vectors.get(pairs.captions))
    features = image_features(settings, store, pairs.image_ids)
    torch.manual_seed(job.seed)
    model = EmbeddingModel(settings).to(device)

    def loss(state: State, rng: np.random.Generator) -> Outcome:
        images, captions = pairs.batch(settings.optimiser.micro_batch, rng)
        same = torch.from_numpy(pairs.matching(captions)).to(device)
        seen = model.embed_images(features[images].to(device).float())
        value, logits = model.loss(seen, model.text(texts[captions].to(device)), same)
        return Outcome(value, len(images), {"accuracy": _accuracy(logits)})

    train(
        job,
        model,
        settings.optimiser,
        loss,
        steps=settings.optimiser.steps,
        epoch=pairs.steps(settings.optimiser.batch),
        encoder=encoder_of(store),
    )


def train_late_interaction(job: Job) -> None:
    """Train an adapter so that its tokens match the frozen word vectors of the caption, contrastively in the batch."""
    settings, layout, device = job.settings, job.layout, compute_device()
    pairs = Pairs.of(CanonicalSet.open(layout.dataset(settings.dataset)), "train")
    store = open_store(settings, layout, settings.dataset)
    tokenizer = WordPiece.beside(layout.weights(settings.joint.weights))
    ids = tokenizer.encode(pairs.captions, settings.joint.longest_caption, canonical=settings.joint.canonical)
    torch.manual_seed(job.seed)
    model = build_late_interaction(settings, layout).to(device)

    def loss(state: State, rng: np.random.Generator) -> Outcome:
        images, captions = pairs.batch(settings.optimiser.micro_batch, rng)
        patches = torch.from_numpy(store.read([pairs.image_ids[i] for i in images])).to(device).float()
        # [CLS] and [SEP] take no part.
        words = TokenBatch.of([ids[caption][1:-1] for caption in captions], device=device)
        with autocast(device, settings.precision):
            logits = model.scores(model.compress(patches), words.ids, words.mask)
        same = torch.from_numpy(pairs.matching(captions)).to(device)
        return Outcome(symmetric_cross_entropy(logits, same), len(images), {"accuracy": _accuracy(logits)})

    train(
        job,
        model,
        settings.optimiser,
        loss,
        steps=settings.optimiser.steps,
        epoch=pairs.steps(settings.optimiser.batch),
        groups={"adapter": model.adapter.parameters()},
        encoder=encoder_of(store),
    )


def _accuracy(logits: torch.Tensor) -> float:
    """Share of rows whose own column is the largest."""
    return float((logits.argmax(1) == torch.arange(len(logits), device=logits.device)).float().mean())
