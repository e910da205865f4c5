"""Learning-rate schedules as plain functions of the step."""

import math


def warm_up(step: int, steps: int, peak: float, start: float = 1e-6) -> float:
    """Linear from ``start`` to ``peak`` over the first ``steps`` steps, then ``peak``."""
    return peak if step >= steps else start + (peak - start) * (step + 1) / (steps + 1)


def epoch_decay(step: int, *, peak: float, warmup: int, epoch: int, factor: float = 0.9, floor: float = 1e-6) -> float:
    """Warm-up, then ``peak · factor^epochs`` and never below ``floor`` (EDJE, released recipe).

    Args:
        step: 0-based.
        epoch: steps an epoch.
    """
    return warm_up(step, warmup, max(peak * factor ** (step // epoch), floor))


def cosine(step: int, *, peak: float, warmup: int, total: int, final: float = 0.1) -> float:
    """Warm-up, then a half cosine from ``peak`` to ``final · peak`` at step ``total``."""
    progress = min(1.0, max(0.0, (step - warmup) / max(1, total - warmup)))
    return warm_up(step, warmup, peak * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))))
