"""Similarity of images and captions by a trained embedding model: what first stages and miners give."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from compactvl.errors import UserError
from compactvl.nn.compute import compute_device
from compactvl.records.layout import Layout
from compactvl.studies.edje.embedding import EmbeddingModel, LateInteraction
from compactvl.studies.edje.model import build_adapter
from compactvl.studies.edje.settings import Embedding, Pretrained
from compactvl.studies.edje.settings import LateInteraction as LateInteractionSettings
from compactvl.studies.run import read_settings
from compactvl.text.batches import TokenBatch
from compactvl.text.sentences import load_bert
from compactvl.text.vectors import TextVectors
from compactvl.text.wordpiece import WordPiece
from compactvl.training.checkpoint import load_model
from compactvl.vision.identity import check_encoder
from compactvl.vision.store import TokenStore

BLOCK = 256


class Similarity(Protocol):
    """Scores of any of a fixed list of images against any of a fixed list of captions."""

    def block(self, images: np.ndarray, captions: np.ndarray) -> np.ndarray:
        """Indices (I,), indices (C,) → float32 (I, C); larger is more alike."""

    def matrix(self) -> np.ndarray:
        """All images × all captions, float32."""


class VectorSimilarity:
    """Dot products of unit vectors.

    Attributes:
        images: float32 (I, dim).
        texts: float32 (C, dim); also the target of EDJE's recovery objective.
    """

    def __init__(self, images: np.ndarray, texts: np.ndarray) -> None:
        self.images, self.texts = images, texts

    def block(self, images: np.ndarray, captions: np.ndarray) -> np.ndarray:
        """See :class:`Similarity`."""
        return self.images[images] @ self.texts[captions].T

    def matrix(self) -> np.ndarray:
        """See :class:`Similarity`."""
        return self.images @ self.texts.T


class TokenSimilarity:
    """Late interaction of compressed tokens and word vectors."""

    def __init__(self, model: LateInteraction, tokens: torch.Tensor, ids: list[list[int]]) -> None:
        self._model, self._tokens = model, tokens
        # [CLS] and [SEP] take no part.
        self._words = TokenBatch.of([row[1:-1] for row in ids], device=tokens.device)

    @torch.inference_mode()
    def block(self, images: np.ndarray, captions: np.ndarray) -> np.ndarray:
        """See :class:`Similarity`."""
        images, captions = torch.from_numpy(images), torch.from_numpy(captions)
        scores = self._model.scores(self._tokens[images], self._words.ids[captions], self._words.mask[captions])
        return scores.cpu().numpy()

    def matrix(self) -> np.ndarray:
        """See :class:`Similarity`."""
        images = np.arange(len(self._tokens))
        blocks = np.array_split(np.arange(len(self._words.ids)), max(1, len(self._words.ids) // BLOCK))
        return np.concatenate([self.block(images, block) for block in blocks], axis=1)


def image_features(settings: Embedding, store: TokenStore, image_ids: Sequence[str]) -> torch.Tensor:
    """What an embedding model reads of images: float32 (N, width), or fp16 tokens (N, T, width) with attention pooling."""
    if settings.pooling == "attention":
        return torch.from_numpy(store.read(image_ids))
    parts = []
    if settings.pooling in ("pooled", "pooled_and_mean"):
        parts.append(store.pooled(image_ids))
    if settings.pooling in ("mean", "pooled_and_mean"):
        blocks = [image_ids[i : i + BLOCK] for i in range(0, len(image_ids), BLOCK)]
        parts.append(np.concatenate([store.read(block).astype(np.float32).mean(1) for block in blocks]))
    return torch.from_numpy(np.concatenate(parts, axis=1))


def open_store(settings: Any, layout: Layout, dataset: str, run: Path | None = None) -> TokenStore:
    """Open the token store a variant reads; with ``run``, its trained run, check that it is of the same encoder.

    Raises:
        UserError: it is missing or corrupt, of another encoder, or its shape is not the one the variant's settings give.
    """
    store = TokenStore.open(layout.tokens(settings.encoder, dataset))
    if isinstance(settings, Pretrained):
        return store
    found = (*store.shape, store.pooled_dim)
    vision = settings.vision
    if found != (vision.tokens, vision.width, vision.pooled):
        raise UserError(
            f"{store.folder} holds {found[0]} tokens of {found[1]} and pooled vectors of {found[2]}, the variant's `vision` "
            f"says {vision.tokens}, {vision.width} and {vision.pooled}; correct that setting"
        )
    if run is not None:
        check_encoder(store, run)
    return store


def build_late_interaction(settings: LateInteractionSettings, layout: Layout) -> LateInteraction:
    """Return an untrained late-interaction model over the frozen word vectors of the joint encoder's weights."""
    words = load_bert(layout.weights(settings.joint.weights), settings.joint.layers).embeddings.word.weight.detach()
    return LateInteraction(build_adapter(settings, words.shape[1]), words, settings.sharpness, settings.adapter.rescale)


@torch.inference_mode()
def open_similarity(
    run: Path, layout: Layout, dataset: str, image_ids: Sequence[str], captions: Sequence[str]
) -> Similarity:
    """Bind an embedding variant's run to a data set's images and captions.

    Raises:
        UserError: the run, or a store it reads, is missing or corrupt.
    """
    settings, device = read_settings(run, Embedding, Pretrained, LateInteractionSettings), compute_device()
    store = open_store(settings, layout, dataset, run)
    if isinstance(settings, Pretrained):
        images = torch.nn.functional.normalize(torch.from_numpy(store.pooled(image_ids)), dim=-1).numpy()
        return VectorSimilarity(images, TextVectors(layout.texts(settings.text_encoder, dataset)).get(captions))
    if isinstance(settings, Embedding):
        vectors = TextVectors(layout.texts(settings.text_encoder, dataset))
        model = EmbeddingModel(settings)
        load_model(model, run)
        model.eval().to(device)
        features = image_features(settings, store, image_ids)
        images = torch.cat([model.embed_images(block.to(device).float()) for block in features.split(BLOCK)])
        texts = model.text(torch.from_numpy(vectors.get(captions)).to(device))
        return VectorSimilarity(images.cpu().numpy(), texts.cpu().numpy())
    model = build_late_interaction(settings, layout)
    load_model(model, run)
    model.eval().to(device)
    blocks = [image_ids[i : i + BLOCK] for i in range(0, len(image_ids), BLOCK)]
    tokens = torch.cat([model.compress(torch.from_numpy(store.read(block)).to(device).float()) for block in blocks])
    tokenizer = WordPiece.beside(layout.weights(settings.joint.weights))
    joint = settings.joint
    ids = tokenizer.encode(captions, joint.longest_caption, canonical=joint.canonical)
    return TokenSimilarity(model, tokens, ids)
