"""A training job, and an evaluation job: open the trained model by its ability, let the benchmark measure it, write the result."""

import importlib
from collections.abc import Callable
from typing import Any

import pandas as pd

from compactvl.evaluation.kind import BenchmarkKind
from compactvl.evaluation.results import write_result
from compactvl.nn.compute import compute_device, warn_of_idle_gpu
from compactvl.studies.base import Job, Peers


def train(job: Job) -> None:
    """Train a variant and write its run."""
    _load(job.settings.trains)(job)


def open_model(job: Job, benchmark: BenchmarkKind) -> Any:
    """Open a variant's trained model with the ability a benchmark asks for.

    Raises:
        UserError: its run, or something it reads, is missing or corrupt.
    """
    return _load(job.settings.opens[benchmark.ability])(job, benchmark)


def evaluate(job: Job, name: str, benchmark: BenchmarkKind) -> None:
    """Evaluate a trained variant on a benchmark and write ``<name>.parquet`` and ``<name>.json``."""
    model = open_model(job, benchmark)
    # Counts and random numbers say that they are the CPU's.
    device = getattr(model, "device", compute_device())
    warn_of_idle_gpu(device, f"{job.variant} on {name}")
    measured = benchmark.measure(model, job.layout)
    write_result(
        job.output,
        name,
        measured.predictions,
        measured.metrics,
        job.identity,
        device=str(device),
        study=job.study,
        variant=job.variant,
        seed=job.seed,
        settings=benchmark.model_dump(mode="json"),
        **measured.facts,
    )


def parameter_table(variants: Peers) -> pd.DataFrame:
    """Return columns variant, part, parameters of a study's variants; no weights are loaded."""
    rows = [
        (name, part, int(number))
        for name, variant in variants.items()
        if variant.counts is not None
        for part, number in _load(variant.counts)(variant, variants)
    ]
    return pd.DataFrame(rows, columns=["variant", "part", "parameters"])


def _load(path: str) -> Callable[..., Any]:
    """Return the function that ``module:function`` names."""
    module, _, function = path.partition(":")
    return getattr(importlib.import_module(module), function)
