"""What is asked of torch is what the provenance says. In a process of its own: the settings are the process's."""

import json
import os
import subprocess
import sys
from pathlib import Path

WORKFLOW = Path(__file__).parents[2] / "workflow"
CODE = """
import json
from compactvl.records.machine import determinism
before = determinism()
from compactvl.training.determinism import use_deterministic_algorithms
use_deterministic_algorithms()
import torch
x = torch.ones(100_000, requires_grad=True)
x[torch.zeros(100_000, dtype=torch.long)].sum().backward()
print(json.dumps([before, determinism(), x.grad[0].item(), bool(torch.utils.deterministic.fill_uninitialized_memory)]))
"""


def asked(**environment):
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=WORKFLOW, env={**os.environ, **environment}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_deterministic_algorithms_are_asked_for_and_recorded():
    import torch

    before, after, gradient, filled = asked(CUBLAS_WORKSPACE_CONFIG=":16:8")
    assert before is None, "a process without torch has nothing to say"
    assert after == {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "algorithms": True,
        "warn_only": True,
        "cudnn_deterministic": True,
        "cudnn_benchmark": False,
        "matmul_precision": "highest",
        "cublas_workspace": ":16:8",
    }, "a workspace that the user has set is kept"
    assert gradient == 100_000
    assert not filled


def test_a_seed_gives_torchs_own_numbers():
    import torch

    from compactvl.training.determinism import seed_torch

    for seed in (0, 7, 2**62):
        seed_torch(seed)
        ours = torch.rand(5)
        torch.manual_seed(seed)
        assert torch.equal(ours, torch.rand(5))
