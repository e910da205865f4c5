"""timm, imported without torch's compiler; every module here takes it from this one.

timm and torchvision ask that compiler to leave some functions alone, and so import it, which takes longer than torch itself
or the work of many a job. Nothing here compiles a model. Where something else does, it finds the real compiler.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """Answer what is asked of ``torch._dynamo`` during an import in its place, unless it is there already."""
    compiler, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    compiler.disable = _as_it_is
    utils.is_compile_supported = _is_compile_supported
    added = {module.__name__: module for module in (compiler, utils) if compiler.__name__ not in sys.modules}
    sys.modules.update(added)
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def _as_it_is(function: Callable | None = None, recursive: bool = True, *, reason: str | None = None) -> Callable:
    return function or _as_it_is  # without a function it is a decorator with arguments


def _is_compile_supported(device: str) -> bool:
    return importlib.import_module("torch._dynamo.utils").is_compile_supported(device)


with _uncompiled():
    import timm
    import timm.data
    import timm.layers

__all__ = ["timm"]
