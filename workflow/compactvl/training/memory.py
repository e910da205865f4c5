"""Keep freed memory in the process."""

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3
"""Parameters of glibc's ``mallopt``."""


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of giving them back to the kernel.

    A training step frees and asks for the same big tensors again and again; fresh pages for each cost about a tenth of
    the time. Does nothing, and says so by its result, with another C library.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((MMAP_THRESHOLD, 1 << 30), (TRIM_THRESHOLD, (1 << 31) - 1), (TOP_PAD, 256 << 20))
    return all(mallopt(key, value) == 1 for key, value in settings)
