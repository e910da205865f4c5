"""The code each job runs: the modules it begins in, and the digest over all they import."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from compactvl.config.kinds import BENCHMARK_KINDS, DATA_KINDS, find_kind, kind_names
from compactvl.dag.digest import source_digest
from compactvl.errors import UserError
from compactvl.evaluation.kind import BenchmarkKind
from compactvl.files import read_json
from compactvl.records.layout import Layout
from compactvl.studies.base import Peers, Variant
from compactvl.studies.study import Study, find_study, study_names

STAGE_MODULES = {
    "weights": ["compactvl.vision.convert"],
    "encode": ["compactvl.vision.encode"],
    "embed": ["compactvl.text.vectors", "compactvl.text.registry"],
    "collect": ["compactvl.evaluation.collect"],
    "index": ["compactvl.reporting.index"],
}


def stage_digest(stage: str) -> str:
    """Return the digest of the code of a stage that is the same for everything it makes."""
    return source_digest(STAGE_MODULES[stage])


def curate_digest(kind: str) -> str:
    """Return the digest of the code that makes a data set of a kind: the stage's own and that of the kind alone."""
    maker = f"compactvl.data.{kind}"
    return source_digest(["compactvl.data.curate", f"{DATA_KINDS}.{kind}", *([maker] if find_spec(maker) else [])])


def training_digest(variant: Variant) -> str:
    """Return the digest of the code that trains a variant of this kind."""
    return source_digest(_modules([variant.trains]))


def evaluation_digest(variant: Variant, benchmark: BenchmarkKind, peers: Peers) -> str:
    """Return the digest of the code that opens a variant of this kind and measures it on a benchmark of that kind."""
    opened = _modules(variant.opened_by(benchmark.ability, peers))
    return source_digest([*opened, f"{BENCHMARK_KINDS}.{benchmark.kind}"])


def parameters_digest(variants: Iterable[Variant]) -> str:
    """Return the digest of the code that counts the parameters of a study's variants."""
    return source_digest(_modules({variant.counts for variant in variants} - {None}))


def report_digest(notebook: str | Path) -> str:
    """Return the digest of the source code a notebook runs, its own text aside."""
    return source_digest(["compactvl.reporting.render", Path(notebook).absolute()])


def code_now(body: Mapping[str, Any]) -> str | None:
    """Return the digest that the code which made a record has now; ``None`` where that cannot be said.

    Args:
        body: its content.
    """
    stage, study, inputs = str(body.get("stage")), body.get("study"), body.get("inputs", {})
    if stage == "encode" and any(Path(path).parts[0] == "runs" for path in inputs):
        return None  # compressed tokens: a study's own command
    if stage in STAGE_MODULES:
        return stage_digest(stage)
    if stage == "curate":
        kind = body.get("settings", {}).get("kind")
        return curate_digest(kind) if kind in kind_names(DATA_KINDS) else None
    if stage == "report":
        notebook = next((path for path in inputs if path.endswith(".py")), "")
        return report_digest(notebook) if Path(notebook).is_file() else None
    if study not in study_names():
        return None
    try:
        variants = _variants_of_runs(find_study(study, "study"))
        if stage == "parameters":
            return parameters_digest(variants.values())
        variant = variants[body["variant"]]
        if stage == "train":
            return training_digest(variant)
        benchmark = find_kind(BENCHMARK_KINDS, body["settings"]["kind"])(**body["settings"])
        return evaluation_digest(variant, benchmark, variants)
    except (UserError, KeyError, ValueError):
        return None


def _variants_of_runs(study: Study) -> Peers:
    """Return the variants of a study that have a run, with the settings they were trained with."""
    runs = Layout().run(study.name, "*", 0).with_name("seed*")
    found = {path.parts[-3]: read_json(path) for path in sorted(Path().glob(str(runs / "settings.json")))}
    return study.revive(found, str(runs))


def _modules(functions: Iterable[str]) -> list[str]:
    return sorted({function.partition(":")[0] for function in functions})
