"""What a job computed on and with: processor, package versions, and how deterministic torch was asked to be."""

import contextlib
import importlib.metadata
import os
import platform
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy", "pandas", "pyarrow", "scipy", "statsmodels", "scikit-posthocs", "pillow", "resvg_py", "torch", "onnx", "timm",
    "transformers", "tokenizers", "safetensors", "matplotlib", "snakemake", "dvc",
)  # fmt: skip


def package_versions() -> dict[str, str]:
    """Return the installed version of each package the results can depend on."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def processor() -> str:
    """Return the processor's model as the kernel names it, or the architecture where it does not."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def determinism() -> dict[str, Any] | None:
    """Return what decides whether torch repeats itself bit for bit; ``None`` in a process without torch."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return {
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "algorithms": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }
