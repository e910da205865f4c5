"""Tests of the arithmetic that is computed in."""

import logging
import platform
from pathlib import Path

import pytest
import torch

from compactvl.nn import compute

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def processor(monkeypatch):
    """Return what gives torch a processor with bfloat16, or one without."""

    def give(has: bool) -> None:
        compute.cpu_has_bfloat16.cache_clear()
        monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: has)

    yield give
    compute.cpu_has_bfloat16.cache_clear()


@pytest.mark.parametrize(
    ("has", "device", "asked", "computed"),
    [
        (True, CPU, "bf16", "bf16"),
        (False, CPU, "bf16", "fp32"),
        (False, CPU, "fp32", "fp32"),
        (False, GPU, "bf16", "bf16"),
    ],
)
def test_only_a_cpu_without_bfloat16_computes_in_another_precision(processor, has, device, asked, computed):
    processor(has)
    assert compute.arithmetic(device, asked) == computed


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_products_are_computed_in_what_is_said(processor, has, dtype):
    processor(has)
    with compute.autocast(CPU, "bf16"):
        assert torch.nn.Linear(4, 4)(torch.ones(2, 4)).dtype == dtype


def test_the_log_says_once_that_float32_is_computed(processor, caplog):
    processor(False)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            compute.autocast(CPU, "bf16")
    assert [record.message for record in caplog.records] == [
        "computing in float32: this processor has no bfloat16, and emulating it is many times slower"
    ]


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not Path("/proc/cpuinfo").is_file(), reason="reads x86 Linux's flags"
)
def test_the_processor_s_flags_say_the_same():
    """oneDNN's bfloat16 needs AVX-512 with byte, word, doubleword and vector-length instructions."""
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].splitlines()[0].split()
    compute.cpu_has_bfloat16.cache_clear()
    assert compute.cpu_has_bfloat16() == {"avx512bw", "avx512dq", "avx512vl"}.issubset(flags)
