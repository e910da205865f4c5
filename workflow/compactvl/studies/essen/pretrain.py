"""Training on captions: masked words, and which image belongs to a caption."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compactvl.data.pairs import Pairs
from compactvl.nn.compute import autocast
from compactvl.studies.base import Job
from compactvl.studies.captions import Captions, other_pairs
from compactvl.studies.essen.fit import fit
from compactvl.studies.essen.masking import mask_whole_words
from compactvl.studies.essen.model import Model
from compactvl.studies.essen.runs import begin
from compactvl.studies.essen.train import ByStep
from compactvl.text.batches import TokenBatch
from compactvl.text.wordpiece import WordPiece
from compactvl.training.loop import Loss, Outcome, State


def train_on_captions(job: Job) -> None:
    """Train a ``pretraining`` variant and write its run."""
    settings, dataset = job.settings, job.dataset(job.settings.dataset)
    tokenizer = WordPiece.beside(job.layout.weights(settings.tokenizer))
    pairs, tags = Pairs.of(dataset, "train"), None
    if settings.objectives.mask == "nouns":
        tags = Pairs.of(dataset, "train", "pos").captions
    captions = Captions(pairs.captions, tags, tokenizer, settings.longest)
    model, asked = begin(job), settings.objectives

    def rows_of(number: int) -> np.ndarray:
        return pairs.batch(settings.optimiser.micro_batch, np.random.default_rng([job.seed, number]))[1]

    def shown(number: int) -> list[str]:
        return [pairs.image_ids[image] for image in pairs.owner[rows_of(number)]]

    def loss(pixels: ByStep) -> Loss:
        def one(state: State, rng: np.random.Generator) -> Outcome:
            rows = rows_of(number := state.micro_batch(job.settings.optimiser.accumulate))
            texts, words = captions.batch(rows)
            match = torch.from_numpy(pairs.matching(rows)).to(model.device)
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            ids, places = mask_whole_words(
                texts.ids, words, rate=asked.mask_rate, kept=asked.kept, mask_id=tokenizer.mask,
                vocabulary=len(model.encoder.text.words), generator=generator,
            )  # fmt: skip
            with autocast(model.device, settings.precision):
                images = model.look(pixels(number))
                parts, numbers = {}, {}
                if asked.masked_words:
                    parts["masked_words"] = word_loss(model, TokenBatch(ids, texts.lengths), images, texts.ids, places)
                if asked.matching:
                    parts["matching"], numbers["matched"] = matching_loss(model, texts, images, match, generator)
            total = sum(getattr(asked, name) * part for name, part in parts.items())
            numbers |= parts if len(parts) > 1 else {}
            return Outcome(total, len(rows), {name: float(value.detach()) for name, value in numbers.items()})

        return one

    fit(job, model, shown, loss)


def word_loss(model: Model, texts: TokenBatch, images: Tensor, ids: Tensor, places: Tensor) -> Tensor:
    """Cross-entropy of the pieces that were hidden.

    Args:
        texts: after hiding. images: of :meth:`Model.look`. ids: (B, L), before. places: (B, L) bool, which were chosen.
    """
    states = model.encoder.join(texts, images)[0][places]
    return F.cross_entropy(model.masked_words(states, model.encoder.text.words).float(), ids[places])


def matching_loss(
    model: Model, texts: TokenBatch, images: Tensor, match: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of right and wrong pairs, half each, and the share that is told rightly.

    Args:
        match: (B, B) bool, which images belong to a text; a wrong one is the next in the batch that does not.
    """
    size = len(match)
    wrong = (torch.randperm(size, generator=generator) < size // 2).to(match.device)
    rows = torch.where(wrong, other_pairs(match), torch.arange(size, device=match.device))
    logits = model.matching(model.pooled(texts, images, None, rows)).float()
    right = match[torch.arange(size, device=match.device), rows].long()
    return F.cross_entropy(logits, right), (logits.argmax(1) == right).float().mean()
