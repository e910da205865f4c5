"""Logging of the console program: one line an event, on standard error."""

import logging

LEVELS = ("debug", "info", "warning", "error")
QUIET = ("matplotlib", "PIL", "urllib3", "fontTools", "httpx", "httpcore", "asyncio", "filelock", "h5py")


def set_up(level: str = "info") -> None:
    """Send the package's log to standard error as ``HH:MM:SS LEVEL module: message``.

    Other packages' loggers are heard from ``warning`` up, so that ours stay readable.

    Args:
        level: one of :data:`LEVELS`.
    """
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), format=form, datefmt="%H:%M:%S", force=True)
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
