"""What models that are timed have in common: where they compute, and how."""

from collections.abc import Callable
from typing import Any

import torch

from compactvl.evaluation.benchmarks.latency import OWN
from compactvl.evaluation.efficiency import environment
from compactvl.nn.compute import arithmetic, autocast, compute_device


class TimedModel:
    """A model with fresh weights: times depend on sizes alone. A study's own has ``calls``, the rest of the ability ``latency``.

    Args:
        precision: "fp32" or "bf16", as in the variant's settings.
    """

    sizes: tuple[str, ...] = (OWN,)

    def __init__(self, precision: str) -> None:
        self.device, self._precision = compute_device(), precision
        used = arithmetic(self.device, precision)
        self.facts = environment(threads=torch.get_num_threads(), precision=used, device=str(self.device))

    def wait(self) -> None:
        """See :class:`compactvl.evaluation.benchmarks.latency.Answerer`."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def run(self, call: Callable[[], Any]) -> Any:
        """Return what a call returns, computed without gradients in the variant's precision."""
        with autocast(self.device, self._precision):
            return call()
