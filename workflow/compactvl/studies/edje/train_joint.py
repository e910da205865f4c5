"""Train the joint encoder: ITM with mined negatives, MLM, recovery, distillation."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.data.pairs import Pairs
from compactvl.data.twins import exchanged_captions, twins
from compactvl.nn.compute import autocast, compute_device
from compactvl.studies.base import Job
from compactvl.studies.edje import objectives
from compactvl.studies.edje.analysis import write_attention_maps
from compactvl.studies.edje.joint import build_joint, open_joint, start_from
from compactvl.studies.edje.model import JointModel, match_pairs, score_pairs
from compactvl.studies.edje.negatives import Chosen, choose
from compactvl.studies.edje.open import first_stage_of
from compactvl.studies.edje.similarity import Similarity, open_store
from compactvl.studies.edje.validation import Validation
from compactvl.studies.pieces import copy_tokenizer
from compactvl.studies.run import train
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Outcome, State, evenly
from compactvl.vision.identity import encoder_of
from compactvl.vision.store import TokenStore


@dataclass
class Trainer:
    """Everything one step reads, and the step itself."""

    job: Job
    model: JointModel
    teacher: JointModel | None
    pairs: Pairs
    ids: list[list[int]]
    alone: list[list[int]]
    store: TokenStore
    tokenizer: WordPiece
    first_stage: Similarity
    miner: Similarity | None
    twin_of: np.ndarray | None
    exchanged: list[list[int]] | None

    def patches(self, images: np.ndarray) -> torch.Tensor:
        """Vision tokens of images by index, float32 (B, T, d_v)."""
        return (
            torch.from_numpy(self.store.read([self.pairs.image_ids[i] for i in images])).to(self.model.device).float()
        )

    def loss(self, state: State, rng: np.random.Generator) -> Outcome:
        """One step: draw a batch, choose negatives, add the losses."""
        settings = self.job.settings
        group = settings.negatives.group
        vectors = self.first_stage.images if group > 1 else None
        images, texts = self.pairs.batch(settings.optimiser.micro_batch, rng, group, vectors)
        couples = None
        if settings.negatives.twins:
            images, texts, couples = self._with_twins(images, texts, rng)
        captions = TokenBatch.of([self.ids[t] for t in texts], device=self.model.device)
        patches = self.patches(images)
        with autocast(self.model.device, settings.precision):
            vision = self.model.compress(patches)
            chosen = choose(
                settings.negatives,
                images,
                self.pairs.text[texts],
                (lambda: self.miner.block(images, texts)) if self.miner is not None else None,
                lambda i, t: score_pairs(self.model, vision.detach(), captions, i, t, self.tokenizer.sep),
                rng,
                couples,
            )
            every, chosen = self._with_exchanged(texts, captions, chosen, rng)
            total, numbers = self._matching(vision, patches, every, chosen)
            weights = settings.objectives
            if weights.mlm > 0:
                numbers["mlm"] = self._masked_words(vision, captions, rng)
                total = total + weights.mlm * numbers["mlm"]
            if weights.recovery > 0:
                target = torch.from_numpy(self.first_stage.texts[texts]).to(self.model.device)
                alone = TokenBatch.of([self.alone[t] for t in texts], device=self.model.device)
                numbers["recovery"] = objectives.recovery(self.model.recover(alone, settings.joint.dropout), target)
                total = total + weights.recovery * numbers["recovery"]
        numbers = {key: float(value.detach()) for key, value in numbers.items()}
        return Outcome(total, chosen.number + len(images), numbers)

    def _with_twins(
        self, images: np.ndarray, texts: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Put couples of twins in the place of a batch's first pairs; return images, texts, and each row's twin or −1."""
        firsts = np.flatnonzero(np.arange(len(self.twin_of)) < self.twin_of)
        drawn = rng.permutation(firsts)[: self.job.settings.negatives.twins]
        couples = np.stack([drawn, self.twin_of[drawn]], axis=1).ravel()
        captions = np.array([rng.choice(self.pairs.of_image[image]) for image in couples], dtype=texts.dtype)
        rest = ~np.isin(images, couples)
        room = len(images) - len(couples)
        images = np.concatenate([couples, images[rest][:room]])
        texts = np.concatenate([captions, texts[rest][:room]])
        rows = np.arange(len(images))
        return images, texts, np.where(rows < len(couples), rows ^ 1, -1)

    def _with_exchanged(
        self, texts: np.ndarray, captions: TokenBatch, chosen: Chosen, rng: np.random.Generator
    ) -> tuple[TokenBatch, Chosen]:
        """Add exchanged captions of some rows after the batch's own, and to what is chosen as these rows' second text negative."""
        if self.exchanged is None:
            return captions, chosen
        there = np.flatnonzero([bool(self.exchanged[text]) for text in texts])
        rows = rng.permutation(there)[: self.job.settings.negatives.exchanged]
        second = np.full(len(texts), -1)
        second[rows] = len(texts) + np.arange(len(rows))
        every = [self.ids[text] for text in texts] + [self.exchanged[text] for text in texts[rows]]
        both = np.concatenate([chosen.texts, second[:, None]], axis=1)
        return TokenBatch.of(every, device=captions.ids.device), replace(chosen, texts=both)

    def _matching(
        self, vision: torch.Tensor, patches: torch.Tensor, captions: TokenBatch, chosen: Chosen
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """ITM and distillation over the same pairs."""
        settings, rows, device = self.job.settings, np.arange(len(chosen.texts)), self.model.device
        images, texts = chosen.images.T, chosen.texts.T
        image_rows = np.concatenate([rows, images.ravel(), np.tile(rows, len(texts))])
        text_rows = np.concatenate([rows, np.tile(rows, len(images)), texts.ravel()])
        there = np.minimum(image_rows, text_rows) >= 0
        pair = [torch.from_numpy(numbers[there]).to(device) for numbers in (image_rows, text_rows)]
        scores = match_pairs(self.model, vision, captions, *pair, self.tokenizer.sep, settings.joint.dropout)
        # Absent negatives (-1) are −inf.
        logits = scores.new_full((len(there),), float("-inf"))
        logits = logits.masked_scatter(torch.from_numpy(there).to(device), scores)
        positive, of_images, of_texts = logits.split([len(rows), images.size, texts.size])
        of_images, of_texts = of_images.view(images.shape).T, of_texts.view(texts.shape).T
        form = objectives.itm_softmax if settings.objectives.itm_form == "softmax" else objectives.itm_binary
        itm = 0.5 * (form(positive, of_images) + form(positive, of_texts))
        wins = 0.5 * ((positive > of_images.amax(1)).float().mean() + (positive > of_texts.amax(1)).float().mean())
        total, numbers = settings.objectives.itm * itm, {"itm": itm, "accuracy": wins}
        if self.teacher is not None:
            with torch.inference_mode():
                taught = match_pairs(self.teacher, self.teacher.compress(patches), captions, *pair, self.tokenizer.sep)
            numbers["distillation"] = objectives.distillation(scores, taught.clone())
            total = total + settings.objectives.distillation * numbers["distillation"]
        return total, numbers

    def _masked_words(self, vision: torch.Tensor, captions: TokenBatch, rng: np.random.Generator) -> torch.Tensor:
        """MLM on the matching pairs."""
        settings = self.job.settings
        generator = torch.Generator(captions.ids.device).manual_seed(int(rng.integers(2**62)))
        ids, masked = objectives.mask_captions(
            captions.ids,
            captions.lengths,
            settings.objectives.mlm_rate,
            self.tokenizer.mask,
            self.tokenizer.unknown,
            generator,
        )
        if not masked.any():
            return vision.new_zeros((), requires_grad=True)
        logits = self.model.predict_words(
            vision, TokenBatch(ids, captions.lengths), masked, self.tokenizer.sep, settings.joint.dropout
        )
        return torch.nn.functional.cross_entropy(logits.float(), captions.ids[masked])


def train_joint(job: Job) -> None:
    """Train a ``joint`` variant and write its run."""
    settings, layout = job.settings, job.layout
    dataset = CanonicalSet.open(layout.dataset(settings.dataset))
    pairs = Pairs.of(dataset, "train")
    store = open_store(settings, layout, settings.dataset)
    tokenizer = WordPiece.beside(layout.weights(settings.joint.weights))

    def similarity(variant: str, of: Pairs) -> Similarity:
        return first_stage_of(job, variant, settings.dataset)(of.image_ids, of.captions)

    first_stage = similarity(settings.first_stage, pairs)
    named = settings.negatives.miner
    miner = None if named == "random" else first_stage if named in ("first_stage", "self") else similarity(named, pairs)
    recovery_dim = first_stage.texts.shape[1] if settings.objectives.recovery > 0 else None
    torch.manual_seed(job.seed)
    model = build_joint(settings, layout, recovery_dim)
    start_from(model, **{part: job.peer_run(name) if name else None for part, name in settings.start})
    model.to(compute_device())
    teacher = open_joint(job.peer_run(settings.teacher)) if settings.teacher else None
    ids = model.encode(tokenizer, pairs.captions)
    alone = tokenizer.encode(pairs.captions, settings.joint.longest_caption, canonical=settings.joint.canonical)
    twin_of = twins(dataset, pairs.image_ids) if settings.negatives.twins else None
    exchanged = None
    if settings.negatives.exchanged:
        texts = exchanged_captions(dataset, "train")
        exchanged = [ids if text else [] for ids, text in zip(model.encode(tokenizer, texts), texts, strict=True)]
    trainer = Trainer(job, model, teacher, pairs, ids, alone, store, tokenizer, first_stage, miner, twin_of, exchanged)
    hooks = {}
    if settings.validations:
        first = first_stage_of(job, settings.first_stage, settings.dataset)
        check = Validation(dataset, store, tokenizer, first)
        hooks = evenly(settings.validations, settings.optimiser.steps, lambda state: check(model))
    shown = dataset.images.loc[dataset.images["split"] == "test", "image_id"].tolist()
    train(
        job,
        model,
        settings.optimiser,
        trainer.loss,
        steps=settings.optimiser.steps,
        epoch=pairs.steps(settings.optimiser.batch),
        groups={"adapter": model.adapter.parameters()},
        hooks=hooks,
        start=settings.start.joint,
        files=lambda model: [
            *write_attention_maps(model, store, shown, job.output),
            copy_tokenizer(job, settings.joint.weights),
        ],
        encoder=encoder_of(store),
    )
