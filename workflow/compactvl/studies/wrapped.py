"""Opening and training of the variants of :mod:`compactvl.studies.controls`."""

import numpy as np

from compactvl.evaluation.abilities import PAIRS, Classifier, PairScorer
from compactvl.evaluation.controls import (
    FusedPairs,
    LogitsWithOtherImages,
    PairsWithOtherImages,
    RandomLogits,
    RandomPairs,
)
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.evaluation.retrieval import query_hits
from compactvl.nn.compute import compute_device
from compactvl.records.record import read_manifest
from compactvl.studies.base import Job
from compactvl.studies.controls import POOL
from compactvl.studies.jobs import open_model
from compactvl.studies.run import finish_run
from compactvl.training.loop import State


def open_control(job: Job, benchmark: BenchmarkKind) -> PairScorer | Classifier:
    """Open a control of another variant's model."""
    model = open_model(job.peer(job.settings.of), benchmark)
    pairs = benchmark.ability == PAIRS
    if job.settings.control == "random_scores":
        return (RandomPairs if pairs else RandomLogits)(model, job.seed)
    return (PairsWithOtherImages if pairs else LogitsWithOtherImages)(model)


def open_fusion(job: Job, benchmark: BenchmarkKind) -> PairScorer:
    """Open a reranker fused with its first stage, by the weight its training chose."""
    weight = float(read_manifest(job.run, "train")["weight"])
    return FusedPairs(open_model(job.peer(job.settings.of), benchmark), weight)


def train_fusion(job: Job) -> None:
    """Choose the first-stage score's weight by mean R@1 (both directions, pool 10) on the validation split."""
    settings, benchmark = job.settings, job.settings.validation(job.peers)
    table = benchmark.predictions(open_model(job.peer(settings.of), benchmark), job.layout)

    def mean_r1(weight: float) -> float:
        fused = table.assign(
            scores=[s + weight * f for s, f in zip(table["scores"], table["first_scores"], strict=True)]
        )
        return float(np.mean([query_hits(fused, direction, POOL, 1).mean() for direction in ("t2i", "i2t")]))

    scores = [mean_r1(weight) for weight in settings.weights]
    best = settings.weights[int(np.argmax(scores))]
    lines = [
        {"step": number, "weight": weight, "val_mean_r1": round(score, 5)}
        for number, (weight, score) in enumerate(zip(settings.weights, scores, strict=True), 1)
    ]
    finish_run(job, state=State(lines=lines), device=compute_device(), weight=best)
