"""Training on pairs of image and caption: what teacher and student begin with, and the student's own pre-training."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.nn.compute import autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.captions import Captions, other_pairs
from compactvl.studies.dide import objectives
from compactvl.studies.dide.build import build, open_run
from compactvl.studies.dide.distillation import distil, maps_of, watched
from compactvl.studies.dide.fit import fit
from compactvl.studies.dide.images import ByStep, open_images
from compactvl.studies.dide.model import Attended, DualEncoder, FusionEncoder
from compactvl.studies.dide.settings import FusionPairs
from compactvl.studies.pieces import copy_tokenizer
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Outcome, State


class PairTrainer:
    """Losses of a batch of pairs.

    Args:
        model: what is trained. teacher: the fusion encoder whose attention is distilled, or ``None``.
        images: images of a step's pairs.
    """

    def __init__(
        self,
        job: Job,
        model: FusionEncoder | DualEncoder,
        teacher: FusionEncoder | None,
        pairs: Pairs,
        captions: Captions,
        images: ByStep,
        tokenizer: WordPiece,
    ) -> None:
        self.settings, self.seed, self.model, self.teacher = job.settings, job.seed, model, teacher
        self.pairs, self.captions, self.images, self.tokenizer = pairs, captions, images, tokenizer

    @cached_property
    def vocabulary(self) -> Tensor:
        """Word pieces that occur in the captions: masked ones are predicted among them."""
        return torch.from_numpy(self.captions.seen).to(compute_device())

    def loss(self, state: State, rng: np.random.Generator) -> Outcome:
        """One micro-batch's losses."""
        settings, number = self.settings, state.micro_batch(self.settings.optimiser.accumulate)
        rows = draw(self.pairs, settings, self.seed, number)
        texts, words = self.captions.batch(rows)
        match = torch.from_numpy(self.pairs.matching(rows)).to(texts.ids.device)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        masked = objectives.mask_words(
            texts.ids, words >= 0, settings.objectives.mask_rate, self.tokenizer.mask, generator
        )
        with autocast(self.model.device, settings.precision):
            form = self._fusion if isinstance(self.model, FusionEncoder) else self._dual
            parts, numbers = form(texts, number, match, masked)
        weights = settings.objectives.model_dump()
        if not isinstance(settings, FusionPairs):
            weights["attention"] = settings.attention.weight
        total = sum(weights[name] * part for name, part in parts.items())
        numbers |= parts if len(parts) > 1 else {}
        return Outcome(total, len(rows), {name: float(value.detach()) for name, value in numbers.items()})

    def _fusion(
        self, texts: TokenBatch, number: int, match: Tensor, masked: tuple[Tensor, Tensor]
    ) -> tuple[dict, dict]:
        model, asked, parts, numbers = self.model, self.settings.objectives, {}, {}
        images = self.images(number)
        if asked.alignment:
            tokens = model.stack.image.project(images.values)
            parts["alignment"], numbers["aligned"] = model.alignment.loss(tokens, texts, model.words, match)
        if not (asked.matching or asked.masked_words):
            return parts, numbers
        (embedded,) = model.embed([images])
        if asked.matching:
            other = other_pairs(match)
            right, wrong = (model.matching(model.pooled(texts, embedded, rows))[:, 0].float() for rows in (None, other))
            absolute = 0.5 * (F.softplus(-right).mean() + F.softplus(wrong).mean())
            parts["matching"] = absolute + F.softplus(wrong - right).mean()
            numbers["matched"] = (right > wrong).float().mean()
        if asked.masked_words:
            ids, places = masked
            states = model.stack.encode(*model.join(TokenBatch(ids, texts.lengths), embedded))[:, : ids.shape[1]]
            parts["masked_words"] = self._words(states[places], texts, places)
        return parts, numbers

    def _dual(self, texts: TokenBatch, number: int, match: Tensor, masked: tuple[Tensor, Tensor]) -> tuple[dict, dict]:
        model, settings, parts, numbers = self.model, self.settings, {}, {}
        asked, images = settings.objectives, self.images(number)
        layers = watched(settings.attention, settings.trunk.layers)
        learned, taught = Attended(layers), Attended(layers)
        text, (image,) = model.features(texts, [images], None, learned if layers else None)
        own = torch.arange(len(text), device=text.device)
        if asked.matching:
            logits = model.matching(model.fusion.all_pairs(text, image))[..., 0]
            parts["matching"] = objectives.matching(logits, match)
            numbers["matched"] = (logits.argmax(1) == own).float().mean()
        if asked.contrastive:
            cosine = F.normalize(text.float(), dim=-1) @ F.normalize(image.float(), dim=-1).T
            parts["contrastive"] = objectives.matching(model.log_scale.exp() * cosine, match)
            numbers["retrieved"] = (cosine.argmax(1) == own).float().mean()
        if asked.masked_words:
            ids, places = masked
            states = model.text_states(TokenBatch(ids, texts.lengths))[places]
            states = model.fusion(states, image[places.nonzero()[:, 0]])
            parts["masked_words"] = self._words(states, texts, places)
        if layers:
            with torch.no_grad():
                self.teacher.pooled(texts, self.teacher.embed([images])[0], attended=taught)
            parts["attention"] = distil(learned, maps_of(taught, texts), texts, settings.attention.queries)
        return parts, numbers

    def _words(self, states: Tensor, texts: TokenBatch, places: Tensor) -> Tensor:
        """Cross-entropy of the words that were masked."""
        if not len(states):
            return states.sum()
        logits = self.model.word_logits(states, self.model.words, self.vocabulary).float()
        return F.cross_entropy(logits, torch.searchsorted(self.vocabulary, texts.ids[places]))


def draw(pairs: Pairs, settings: object, seed: int, number: int) -> np.ndarray:
    """Captions of a micro-batch, by its number alone: images are prepared before its losses are asked for."""
    return pairs.batch(settings.optimiser.micro_batch, np.random.default_rng([seed, number]))[1]


def train_fusion_pairs(job: Job) -> None:
    """Train a ``fusion_pairs`` variant and write its run."""
    _train(job, FusionEncoder, None)


def train_dual_pairs(job: Job) -> None:
    """Train a ``dual_pairs`` variant and write its run."""
    teacher = job.settings.teacher
    _train(job, DualEncoder, open_run(job.peer_run(teacher), FusionPairs) if teacher else None)


def _train(job: Job, form: type[FusionEncoder] | type[DualEncoder], teacher: FusionEncoder | None) -> None:
    settings, layout = job.settings, job.layout
    dataset = CanonicalSet.open(layout.dataset(settings.dataset))
    tokenizer = WordPiece.beside(layout.weights(settings.trunk.weights))
    pairs, tags = Pairs.of(dataset, "train"), None
    if settings.objectives.mask == "nouns":
        tags = Pairs.of(dataset, "train", "pos").captions
    captions = Captions(pairs.captions, tags, tokenizer, settings.trunk.longest)
    images = open_images(settings.images, layout, settings.dataset)
    model = build(job, form, tokenizer, images, pairs.image_ids)

    def ids_of(number: int) -> list[str]:
        return [pairs.image_ids[image] for image in pairs.owner[draw(pairs, settings, job.seed, number)]]

    fit(
        job,
        model,
        images,
        ids_of,
        lambda by_step: PairTrainer(job, model, teacher, pairs, captions, by_step, tokenizer).loss,
        epoch=pairs.steps(settings.optimiser.batch),
        files=[copy_tokenizer(job, settings.trunk.weights)],
    )
