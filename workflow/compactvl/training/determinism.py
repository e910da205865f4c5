"""Asking torch to compute the same bits every time."""

import os

CUBLAS_VARIABLE, CUBLAS_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"


def use_deterministic_algorithms() -> None:
    """Make torch take deterministic algorithms wherever it has them; call it before CUDA starts.

    An operation that has none on a GPU warns and is computed all the same; the provenance says what was asked for
    (:func:`compactvl.records.machine.determinism`).
    """
    # cuBLAS reads it when it starts; a workspace of a fixed size is what makes its sums repeat themselves.
    os.environ.setdefault(CUBLAS_VARIABLE, CUBLAS_WORKSPACE)
    import torch

    # As `use_deterministic_algorithms`, which also imports the compiler to tell it: 1.9 s, and nothing is compiled here.
    torch.set_deterministic_debug_mode("warn")
    torch.backends.cudnn.deterministic = True
    # Which convolution is the fastest is measured anew in each process, and the answer changes the bits.
    torch.backends.cudnn.benchmark = False
    # Nothing of ours reads memory before it is written, and filling every new tensor costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False


def seed_torch(seed: int) -> None:
    """Seed torch's generators, as ``torch.manual_seed`` does for the CPU and, where there are any, for GPUs.

    That function notes for every device that is not there yet where it was called from: a millisecond a step.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
