import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parents[2] / "workflow"


@pytest.mark.parametrize("count", [1, 2])
def test_the_setting_decides_over_the_environment(count):
    code = (
        f"from compactvl.cli.threads import use_threads; use_threads({count}); "
        "import os, torch; print(torch.get_num_threads(), os.environ['OMP_NUM_THREADS'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=WORKFLOW,
        env={**os.environ, "OMP_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(count), str(count)], done.stderr
