"""The process's environment, for rules that call the console program."""

import os
import sys
from pathlib import Path


def put_program_on_path() -> None:
    """Put this Python's scripts first on ``PATH``, so ``compactvl`` is found where no environment was activated."""
    scripts = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if folders[:1] != [scripts]:
        os.environ["PATH"] = os.pathsep.join([scripts, *folders])
