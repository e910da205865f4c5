"""CPU threads and the device of a job: set before numpy and torch are imported, because they read them once."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

from compactvl.training.memory import keep_freed_memory

VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def set_thread_variables(count: int) -> None:
    """Set what numerical libraries read when they are imported, without importing any."""
    for name in VARIABLES:
        os.environ[name] = str(count)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def use_threads(count: int) -> None:
    """Make every numerical library of this process, and torch, compute with ``count`` CPU threads.

    The number is part of the result (sums are split by it), so a setting decides and not the machine.
    """
    set_thread_variables(count)
    keep_freed_memory()
    # While torch is imported, and again at the end, the garbage collector would look at its million objects in vain.
    gc.disable()
    import torch

    gc.freeze()
    gc.enable()
    torch.set_num_threads(count)


@contextmanager
def computing(threads: int) -> Iterator[None]:
    """Hold a device while it is computed on, with so many threads, so that the same job has the same outcome."""
    from compactvl.training.determinism import use_deterministic_algorithms
    from compactvl.training.device import lease

    with lease():
        use_threads(threads)
        use_deterministic_algorithms()
        yield
