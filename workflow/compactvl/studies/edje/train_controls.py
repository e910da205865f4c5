"""Variants that train little or nothing: score fusion, the pretrained embedding model, the negative controls."""

import time

import numpy as np

from compactvl.config.benchmarks import RetrievalBenchmark
from compactvl.evaluation.retrieval import query_hits
from compactvl.files import atomic_path
from compactvl.nn.compute import compute_device
from compactvl.studies.base import Job
from compactvl.studies.edje.evaluate import Scorer, fuse, retrieval_table
from compactvl.studies.edje.run import finish_run
from compactvl.training.loop import State

POOL = 10


def train_nothing(job: Job) -> None:
    """Write the run of a variant that has no weights of its own."""
    started = time.monotonic()
    with atomic_path(job.output / "log.jsonl") as temporary:
        temporary.write_text("", encoding="utf-8")
    finish_run(job, None, State(), started)


def train_fusion(job: Job) -> None:
    """Choose the first-stage score's weight by mean R@1 (both directions, pool 10) on the validation split."""
    started, settings = time.monotonic(), job.settings
    joint = job.peers[settings.of]
    benchmark = RetrievalBenchmark(
        kind="retrieval", dataset=joint.dataset, split="val", pools=(POOL,), queries_per_image=1
    )
    holder = Job(job.study, settings.of, job.seed, joint, job.layout, job.output, job.peers)
    table = retrieval_table(Scorer(holder, benchmark), benchmark)
    scores = [
        float(np.mean([query_hits(fuse(table, weight), d, POOL, 1).mean() for d in ("t2i", "i2t")]))
        for weight in settings.weights
    ]
    best = settings.weights[int(np.argmax(scores))]
    lines = [
        f'{{"step": {i + 1}, "weight": {w}, "val_mean_r1": {s:.5f}}}\n'
        for i, (w, s) in enumerate(zip(settings.weights, scores, strict=True))
    ]
    with atomic_path(job.output / "log.jsonl") as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
    finish_run(job, None, State(), started, device=compute_device(), weight=best)
