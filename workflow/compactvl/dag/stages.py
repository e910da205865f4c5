"""The code each job runs: the modules it begins in, and the digest over all they import."""

import contextlib
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from compactvl.config.kinds import BENCHMARK_KINDS, DATA_KINDS, FORMATS, LOADERS
from compactvl.dag.digest import source_digest
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.studies.base import Peers, Variant

STAGE_MODULES = {
    "embed": ["compactvl.text.vectors", "compactvl.text.registry"],
    "collect": ["compactvl.evaluation.collect"],
    "index": ["compactvl.reporting.index"],
}


def code_digest(modules: Iterable[str]) -> str:
    """Return the digest of the code of a job that begins in these modules; a notebook is named by its path."""
    return source_digest([Path(name).absolute() if name.endswith(".py") else name for name in modules])


def code_now(modules: Iterable[str]) -> str | None:
    """Return the same of a job that was done, ``None`` where it names no modules, or one that is no more."""
    with contextlib.suppress(ModuleNotFoundError, OSError):
        return code_digest(modules) if modules else None
    return None


def curate_modules(kind: str) -> list[str]:
    """Return what makes a data set of a kind: the stage's own module and those of the kind alone."""
    maker = f"compactvl.data.{kind}"
    return ["compactvl.data.curate", f"{DATA_KINDS}.{kind}", *([maker] if find_spec(maker) else [])]


def weights_modules(form: str) -> list[str]:
    """Return what converts weights of a format; those of the Hub and of a folder have no module of their own."""
    reader = f"{FORMATS}.{form}"
    return ["compactvl.vision.convert", *([reader] if find_spec(reader) else [])]


def encode_modules(loader: str) -> list[str]:
    """Return what encodes images with an encoder of a loader."""
    return ["compactvl.vision.encode", f"{LOADERS}.{loader}"]


def training_modules(variant: Variant) -> list[str]:
    """Return what trains a variant of this kind."""
    return _modules([variant.trains])


def evaluation_modules(variant: Variant, benchmark: BenchmarkKind, peers: Peers) -> list[str]:
    """Return what opens a variant of this kind and measures it on a benchmark of that kind."""
    return [*_modules(variant.opened_by(benchmark.ability, peers)), f"{BENCHMARK_KINDS}.{benchmark.kind}"]


def parameters_modules(variants: Iterable[Variant]) -> list[str]:
    """Return what counts the parameters of a study's variants."""
    return _modules({variant.counts for variant in variants} - {None})


def report_modules(notebook: str | Path) -> list[str]:
    """Return what a report runs: all that its notebook imports, the notebook's own text aside."""
    return ["compactvl.reporting.render", str(notebook)]


def _modules(functions: Iterable[str]) -> list[str]:
    return sorted({function.partition(":")[0] for function in functions})
