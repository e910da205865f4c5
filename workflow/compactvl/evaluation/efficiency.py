"""Timing of the online stage, and the table that holds it (``efficiency.parquet`` of a variant), one row a timing.

- ``variant``: its name; or ``cross_encoder``, ``transformers_bert``: a reference, not a variant
- ``source``: what is inside the clock besides scoring. ``memory``: nothing, image tokens and word pieces are in RAM;
  ``text``: captions are tokenised; ``store``: image tokens are read from disk; ``online``: vision features are computed
  from pixels; ``reference``: another library on an input of the same length. A reference that tokenises text
  (``cross_encoder``) is to be compared with ``text``.
- ``precision``: fp32 or bf16; ``tokens``: image tokens a pair, m; ``batch``: pairs in one call of the model
- ``pairs``: pairs in one call of the measured function; "ms for 64 pairs" has 64 and source memory
- ``ms``, ``low``, ``high``: median and quartiles of one call, milliseconds; ``pairs_per_s``: 1000 · pairs / ms
- ``repeats``: calls timed; ``kb_per_image``: stored an image, decimal kB, missing for a reference
"""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from compactvl.evaluation.results import Metric
from compactvl.records.machine import package_versions, processor

Source = Literal["memory", "text", "store", "online", "reference"]
TIMING_COLUMNS = (
    "variant", "source", "precision", "tokens", "batch", "pairs", "ms", "low", "high", "pairs_per_s", "repeats",
    "kb_per_image",
)  # fmt: skip
FEWEST_REPEATS = 3


@dataclass(frozen=True)
class Timing:
    """Wall-clock seconds of one call: median, lower and upper quartile, and how many calls were timed."""

    median: float
    low: float
    high: float
    repeats: int


def measure(
    call: Callable[[], Any],
    *,
    warmup: int = 2,
    repeats: int = 7,
    seconds: float = 5.0,
    synchronise: Callable[[], None] | None = None,
) -> Timing:
    """Time a callable; only the call is inside the clock.

    Args:
        call: what is timed, without arguments.
        warmup: calls before the clock starts.
        repeats: calls timed, fewer (never under three) once ``seconds`` have gone by.
        seconds: time limit of the timed calls.
        synchronise: waits for the device (``torch.cuda.synchronize``); called before every reading of the clock.
    """
    wait = synchronise or (lambda: None)
    for _ in range(warmup):
        call()
    taken: list[float] = []
    while len(taken) < repeats and (len(taken) < FEWEST_REPEATS or sum(taken) < seconds):
        wait()
        start = time.perf_counter()
        call()
        wait()
        taken.append(time.perf_counter() - start)
    low, median, high = np.quantile(taken, [0.25, 0.5, 0.75])
    return Timing(float(median), float(low), float(high), len(taken))


def timing_row(
    timing: Timing,
    *,
    variant: str,
    source: Source,
    precision: str,
    tokens: int,
    batch: int,
    pairs: int,
    kb_per_image: float | None,
) -> dict[str, Any]:
    """Return one row of the table (see the module's docstring)."""
    return {
        "variant": variant,
        "source": source,
        "precision": precision,
        "tokens": tokens,
        "batch": batch,
        "pairs": pairs,
        "ms": round(1000 * timing.median, 4),
        "low": round(1000 * timing.low, 4),
        "high": round(1000 * timing.high, 4),
        "pairs_per_s": round(pairs / timing.median, 2),
        "repeats": timing.repeats,
        "kb_per_image": kb_per_image,
    }


def environment(*, threads: int, precision: str, device: str = "cpu") -> dict[str, Any]:
    """Return what a time depends on: device, threads, precision, processor, versions."""
    return {
        "device": device,
        "threads": threads,
        "precision": precision,
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def efficiency_metrics(rows: Sequence[dict[str, Any]]) -> list[Metric]:
    """Turn rows of one variant into metrics: latency, throughput a source and batch, and storage.

    Names: ``ms_64_pairs`` (source memory, one batch of 64), ``pairs_per_s/<source>/batch<n>``,
    ``kb_per_image``. The interval is the quartiles of the calls, n the number of calls.
    """
    metrics = []
    for row in rows:
        label = f"pairs_per_s/{row['source']}/batch{row['batch']}"
        rates = [1000 * row["pairs"] / row[name] for name in ("ms", "high", "low")]
        metrics.append(Metric(label, *rates, n=row["repeats"], chance=None, higher_is_better=True))
        if row["source"] == "memory" and row["batch"] == row["pairs"] == 64:
            times = (row["ms"], row["low"], row["high"])
            metrics.append(Metric("ms_64_pairs", *times, n=row["repeats"], chance=None, higher_is_better=False))
    sizes = [row["kb_per_image"] for row in rows if row["kb_per_image"] is not None]
    if sizes:
        metrics.append(Metric("kb_per_image", sizes[0], sizes[0], sizes[0], n=1, chance=None, higher_is_better=False))
    return metrics
