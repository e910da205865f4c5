"""Train the variants that have no gradient: the tokenizer, the n-gram models, the random control."""

import torch

from compactvl.data.canonical import CanonicalSet
from compactvl.errors import UserError
from compactvl.studies.base import Job
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.runs import TOKENIZER, open_tokenizer
from compactvl.studies.run import finish_run
from compactvl.text.bpe import published, save_tokenizer, train_bpe
from compactvl.training.loop import State

BLOCK = 20_000
"""Texts that are made ids at a time."""


def train_tokenizer(job: Job) -> None:
    """Train or fetch a ``tokenizer`` variant and write its run."""
    settings = job.settings
    if settings.pretrained is not None:
        tokenizer = published(settings.pretrained)
    else:
        texts = _training_texts(job, settings.texts)
        tokenizer = train_bpe(texts, settings.vocabulary, lowercase=settings.lowercase)
    save_tokenizer(tokenizer, job.output / TOKENIZER)
    finish_run(job, files=[TOKENIZER], device=torch.device("cpu"), vocabulary=tokenizer.get_vocab_size())


def train_ngram(job: Job) -> None:
    """Count a unigram or bigram model and write its run."""
    settings = job.settings
    tokenizer = open_tokenizer(job)
    model = NGramModel(settings.order, tokenizer.size, settings.discount)
    texts = _training_texts(job, (*settings.texts, *settings.captions))
    blocks = (texts[begin : begin + BLOCK] for begin in range(0, len(texts), BLOCK))
    tokens = model.fit(tokenizer.encode(block, settings.length) for block in blocks)
    finish_run(job, model, State(seen=len(texts)), vocabulary=tokenizer.size, tokens=tokens)


def train_random(job: Job) -> None:
    """Write the run of the random control."""
    finish_run(job, vocabulary=open_tokenizer(job).size)


def _training_texts(job: Job, names: tuple[str, ...]) -> list[str]:
    texts = []
    for name in names:
        dataset = CanonicalSet.open(job.layout.dataset(name))
        texts += dataset.split("train")[dataset.text_column].tolist()
    if not texts:
        raise UserError(f"{job.variant}: data sets {', '.join(names)} have no training text")
    return texts
