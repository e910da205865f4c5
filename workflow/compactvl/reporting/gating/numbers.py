"""Gates, correlations and p-values in words."""

from compactvl.evaluation.statistics import Interval

SIGNIFICANT = 0.001


def gate_points(interval: Interval) -> str:
    """Return a difference of gates in words: ``+0.021 [+0.015, +0.027]``."""
    return "{} [{}, {}]".format(*(signed(value) for value in interval))


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign: ``−0.139``."""
    return f"{value:+.{digits}f}".replace("-", "−")


def p_value(p: float, name: str = "p ") -> str:
    """Return ``p < 0.001`` or ``p = 0.012``; without a name ``< 0.001`` or ``0.012``."""
    if p < SIGNIFICANT:
        return f"{name}< 0.001"
    return f"{name}= {p:.3f}" if name else f"{p:.3f}"
