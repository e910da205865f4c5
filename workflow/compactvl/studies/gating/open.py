"""The gating study's trained models, by what they can do."""

from collections.abc import Sequence

import numpy as np
import torch

from compactvl.evaluation.benchmarks.gates import Settings as GatesBenchmark
from compactvl.evaluation.benchmarks.language import Settings as LanguageBenchmark
from compactvl.evaluation.gate_values import WordValues
from compactvl.studies.base import Job
from compactvl.studies.gating.images import open_images
from compactvl.studies.gating.ngram import NGramModel
from compactvl.studies.gating.runs import open_decoder, open_ngram, open_tokenizer
from compactvl.studies.gating.scoring import DecoderScorer
from compactvl.studies.gating.words import word_values
from compactvl.text.bpe import TextTokenizer


def open_decoder_texts(job: Job, benchmark: LanguageBenchmark) -> DecoderScorer:
    """Open a decoder, with the image vectors of the tasks that have images."""
    images, settings = {}, job.settings
    if settings.images:
        opened = {name: open_images(settings.image, job.layout, job.dataset(name)) for name in benchmark.images}
        images = {key: opened[task.images] for key, task in benchmark.tasks.items() if task.images is not None}
    return DecoderScorer(open_decoder(job.run), open_tokenizer(job), images)


class NGramTexts:
    """An n-gram model; see :class:`compactvl.evaluation.abilities.TextScorer`."""

    probabilities, device = True, torch.device("cpu")

    def __init__(self, model: NGramModel, tokenizer: TextTokenizer, longest: int) -> None:
        self.score, self.tokenizer, self.longest = model.score, tokenizer, longest


def open_ngram_texts(job: Job, benchmark: LanguageBenchmark) -> NGramTexts:
    """Open an n-gram model."""
    return NGramTexts(open_ngram(job.run), open_tokenizer(job), job.settings.length)


class RandomTexts:
    """The negative control, for texts of any length; see :class:`compactvl.evaluation.abilities.TextScorer`."""

    probabilities, longest, device = False, 1 << 20, torch.device("cpu")

    def __init__(self, tokenizer: TextTokenizer, seed: int) -> None:
        self.tokenizer, self._rng = tokenizer, np.random.default_rng([seed, 41])

    def score(
        self, rows: Sequence[Sequence[int]], starts: Sequence[int], images: Sequence[str], task: str
    ) -> np.ndarray:
        """See :class:`compactvl.evaluation.abilities.TextScorer`."""
        return self._rng.standard_normal(len(rows)) - 10.0


def open_random_texts(job: Job, benchmark: LanguageBenchmark) -> RandomTexts:
    """Open the random control."""
    return RandomTexts(open_tokenizer(job), job.seed)


class DecoderGates:
    """A decoder's gates; see :class:`compactvl.evaluation.benchmarks.gates.GateReader`."""

    def __init__(self, job: Job) -> None:
        self._job, self.trained_on = job, (*job.settings.texts, *job.settings.captions)
        self._model, self._tokenizer = open_decoder(job.run), open_tokenizer(job)

    def word_values(self, texts: Sequence[Sequence[str]], image_ids: Sequence[str], dataset: str) -> list[WordValues]:
        """See :class:`compactvl.evaluation.benchmarks.gates.GateReader`."""
        images = open_images(self._job.settings.image, self._job.layout, self._job.dataset(dataset))
        return word_values(self._model, self._tokenizer, texts, image_ids, images)


def open_gates(job: Job, benchmark: GatesBenchmark) -> DecoderGates:
    """Open a decoder's gates."""
    return DecoderGates(job)
