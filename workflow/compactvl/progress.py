"""Progress with a rate: a bar on a terminal, plain log lines elsewhere."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

log = logging.getLogger(__name__)
LINE_EVERY_SECONDS = 20.0
T = TypeVar("T")


class Progress:
    """A counter that shows itself. Use as a context manager and call :meth:`update`.

    Args:
        total: number of units expected, or ``None``.
        unit: name of one unit, e.g. ``"image"``.
        label: what is being done, e.g. ``"encode scenes"``.
    """

    def __init__(self, total: int | None, unit: str, label: str) -> None:
        self.total, self.unit, self.label = total, unit, label
        self.done = 0
        self._start = self._last = time.monotonic()
        self._bar = tqdm(total=total, unit=f" {unit}", desc=label, smoothing=0.1) if sys.stderr.isatty() else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.close()
        elif exc[0] is None:
            self._line()

    def update(self, count: int = 1, note: str = "") -> None:
        """Add ``count`` units; ``note`` is shown after the rate (e.g. the loss)."""
        self.done += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last >= LINE_EVERY_SECONDS:
            self._line(note)

    def _line(self, note: str = "") -> None:
        self._last = time.monotonic()
        rate = self.done / max(self._last - self._start, 1e-9)
        of = f"/{self.total}" if self.total is not None else ""
        log.info("%s: %d%s %ss, %.1f/s%s", self.label, self.done, of, self.unit, rate, f", {note}" if note else "")


def track(items: Iterable[T], *, unit: str, label: str) -> Iterator[T]:
    """Yield from ``items`` while showing progress."""
    total = len(items) if hasattr(items, "__len__") else None
    with Progress(total, unit, label) as progress:
        for item in items:
            yield item
            progress.update()
