"""Logging of the console program: one line an event, on standard error."""

import logging
import sys
import time

LEVELS = ("debug", "info", "warning", "error")
QUIET = ("matplotlib", "PIL", "urllib3", "fontTools", "httpx", "httpcore", "asyncio", "filelock", "h5py")


def set_up(level: str = "info") -> None:
    """Send the package's log to standard error as ``HH:MM:SS LEVEL module: message``.

    Other packages' loggers are heard from ``warning`` up, so that ours stay readable.

    Args:
        level: one of :data:`LEVELS`.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    formatter.converter = time.localtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
