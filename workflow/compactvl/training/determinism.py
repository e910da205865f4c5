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
