"""Evaluate a variant on language tasks, by log-probabilities of texts."""

import pandas as pd

from compactvl.config.language_benchmarks import LanguageBenchmark
from compactvl.data.canonical import CanonicalSet
from compactvl.evaluation.language import TEXTS, build_requests, language_metrics
from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.gating.images import ImageVectors, open_images
from compactvl.studies.gating.runs import open_decoder, open_ngram, open_tokenizer
from compactvl.studies.gating.scoring import DecoderScorer, RandomScorer, Scorer, answer
from compactvl.studies.gating.settings import NGram, Random
from compactvl.studies.run import write_job_result
from compactvl.text.bpe import TextTokenizer

LONGEST = 1 << 20
"""Random scores are given to texts of any length."""


def evaluate_language(job: Job, name: str, benchmark: LanguageBenchmark) -> None:
    """Score every task of a ``language`` benchmark and write the result.

    Random scores are no probabilities: that control has no perplexity.
    """
    tasks = benchmark.tasks
    if isinstance(job.settings, Random):
        tasks = {key: task for key, task in tasks.items() if task.kind != "perplexity"}
    requests = pd.concat(
        [
            build_requests(key, task, _open(job, task.dataset).items, benchmark.conditions)
            for key, task in tasks.items()
        ],
        ignore_index=True,
    )
    scorer, longest, tokenizer = _scorer(job, benchmark)
    predictions = answer(requests, scorer, tokenizer, longest).drop(columns=TEXTS)
    write_job_result(job, name, benchmark, predictions, language_metrics(predictions, tasks))


def _scorer(job: Job, benchmark: LanguageBenchmark) -> tuple[Scorer, int, TextTokenizer]:
    tokenizer, settings = open_tokenizer(job), job.settings
    if isinstance(settings, NGram):
        return open_ngram(job.layout, job), settings.length, tokenizer
    if isinstance(settings, Random):
        return RandomScorer(job.seed), LONGEST, tokenizer
    images: dict[str, ImageVectors] = {}
    if settings.images:
        opened = {
            key: open_images(settings.image, job.layout, _open(job, key))
            for key in sorted({task.images for task in benchmark.tasks.values()} - {None})
        }
        images = {key: opened[task.images] for key, task in benchmark.tasks.items() if task.images is not None}
    model = open_decoder(job.layout, job, compute_device())
    return DecoderScorer(model, tokenizer.pad, images, settings.precision), settings.shape.length, tokenizer


def _open(job: Job, name: str) -> CanonicalSet:
    return CanonicalSet.open(job.layout.dataset(name))
