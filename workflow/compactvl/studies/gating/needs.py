"""What training and evaluating a variant reads: the DAG's edges."""

from collections.abc import Iterable, Mapping
from typing import Any

from compactvl.config.language_benchmarks import GatesBenchmark, LanguageBenchmark
from compactvl.studies.base import Needs
from compactvl.studies.gating.settings import Decoder, NGram, Random, Tokenizer


def training_needs(settings: Any, peers: Mapping[str, Any]) -> Needs:
    """What training a variant reads."""
    if isinstance(settings, Tokenizer):
        return Needs(datasets=frozenset(settings.texts))
    if isinstance(settings, Random):
        return Needs(variants=frozenset({settings.tokenizer}))
    captions = settings.captions if isinstance(settings, NGram) or settings.reads_captions else ()
    needs = Needs(datasets=frozenset({*settings.texts, *captions}), variants=frozenset({settings.tokenizer}))
    if isinstance(settings, NGram):
        return needs
    monitor = {settings.monitor.pairs, settings.monitor.vqa} - {None}
    needs |= Needs(datasets=frozenset(monitor), variants=frozenset({settings.start} - {None}))
    return needs | _images(settings, settings.captions) if settings.images else needs


def evaluation_needs(settings: Any, benchmark: Any, peers: Mapping[str, Any]) -> Needs:
    """What evaluating a variant on a benchmark reads, besides its own run."""
    needs = Needs(datasets=frozenset(benchmark.datasets))
    needs |= Needs(variants=frozenset({settings.tokenizer}))
    if not isinstance(settings, Decoder):
        return needs
    if isinstance(benchmark, GatesBenchmark):
        # Word frequencies are those of the whole training texts, however much of them it was trained on.
        needs |= Needs(datasets=frozenset({*settings.texts, *settings.captions}))
        needs |= Needs(files=frozenset({benchmark.concreteness} - {None}))
        return needs | _images(settings, {benchmark.dataset, benchmark.images} - {None})
    if settings.images and isinstance(benchmark, LanguageBenchmark):
        return needs | _images(settings, {task.images for task in benchmark.tasks.values()} - {None})
    return needs


def _images(settings: Decoder, datasets: Iterable[str]) -> Needs:
    encoder = settings.image.encoder
    if encoder is None:
        return Needs(datasets=frozenset(datasets))
    return Needs(tokens=frozenset((encoder, name) for name in datasets))
