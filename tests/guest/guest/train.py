"""Training the guest's model, and opening it again."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compactvl.data.pairs import Pairs
from compactvl.evaluation.benchmarks.retrieval import Settings as RetrievalBenchmark
from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.guest.model import WordBagModel
from compactvl.studies.run import train
from compactvl.training.checkpoint import load_model
from compactvl.training.loop import Outcome, State
from compactvl.vision.store import TokenStore


def features_of(store: TokenStore, image_ids: Sequence[str], names: Sequence[str]) -> Tensor:
    """Features of images: float32 (images, features)."""
    read = {"pooled": store.pooled, "mean": lambda ids: store.read(ids).astype(np.float32).mean(1)}
    return torch.from_numpy(np.concatenate([read[name](image_ids) for name in names], axis=1))


def train_word_bag(job: Job) -> None:
    """Train by the contrastive loss of a batch's images and captions."""
    settings, device = job.settings, compute_device()
    pairs = Pairs.of(job.dataset(settings.dataset), "train")
    features = features_of(job.tokens(settings.encoder, settings.dataset), pairs.image_ids, settings.features)
    torch.manual_seed(job.seed)
    model = WordBagModel(settings).to(device)

    def loss(state: State, rng: np.random.Generator) -> Outcome:
        images, captions = pairs.batch(settings.optimiser.micro_batch, rng)
        texts = model.embed_texts([pairs.captions[caption] for caption in captions])
        logits = model.log_scale.exp() * model.embed_images(features[images].to(device)) @ texts.T
        target = torch.arange(len(logits), device=device)
        value = 0.5 * (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target))
        return Outcome(value, len(images), {"accuracy": float((logits.argmax(1) == target).float().mean())})

    train(job, model, settings.optimiser, loss, steps=settings.optimiser.steps)


class WordBagPairs:
    """A trained model bound to a data set; see :class:`compactvl.evaluation.abilities.PairScorer`."""

    reranks, kilobytes = False, None

    def __init__(self, job: Job, dataset: str) -> None:
        self._settings, self._store = job.settings, job.tokens(job.settings.encoder, dataset)
        self._device = compute_device()
        self._model = WordBagModel(job.settings).to(self._device)
        load_model(self._model, job.run)
        self._model.eval()

    @torch.inference_mode()
    def similarity(self, image_ids: Sequence[str], texts: Sequence[str]) -> np.ndarray:
        """Cosines of every image with every text."""
        features = features_of(self._store, image_ids, self._settings.features).to(self._device)
        return (self._model.embed_images(features) @ self._model.embed_texts(texts).T).cpu().numpy()

    def score_pairs(
        self, image_ids: Sequence[str], texts: Sequence[str], images: np.ndarray, captions: np.ndarray
    ) -> np.ndarray:
        """Cosines of pairs."""
        return self.similarity(image_ids, texts)[images, captions]


def open_pairs(job: Job, benchmark: RetrievalBenchmark) -> WordBagPairs:
    """Open a trained model for a benchmark's data set."""
    return WordBagPairs(job, benchmark.dataset)
