"""The entry point of every stage, and the digest of the code that begins there."""

from pathlib import Path
from typing import Any

from compactvl.config.kinds import DATA_KINDS
from compactvl.dag.digest import source_digest

STAGE_ENTRIES = {
    "fetch": ["compactvl.data.sources:fetch_source"],
    "weights": ["compactvl.vision.weights:convert_weights"],
    "pretrained": ["compactvl.text.pretrained:import_bert"],
    "encode": ["compactvl.vision.encode"],
    "embed": ["compactvl.text.vectors", "compactvl.text.registry"],
    "collect": ["compactvl.evaluation.results:collect"],
    "index": ["compactvl.reporting.index"],
}
STUDY_ENTRIES = {"train": ["train"], "evaluate": ["evaluate"], "parameters": ["parameters"]}


def stage_digest(stage: str) -> str:
    """Return the digest of the code of a stage that is the same for every study; see :mod:`compactvl.dag.digest`."""
    return source_digest(STAGE_ENTRIES[stage])


def curate_digest(kind: str) -> str:
    """Return the digest of the code that makes a data set of a kind: the stage's own and that of the kind alone."""
    return source_digest(["compactvl.data.curate", f"{DATA_KINDS}.{kind}"])


def study_digest(stage: str, study: Any) -> str:
    """Return the digest of the code of a study's own stage: its ``train``, ``evaluate`` or ``parameters``."""
    owner = type(study)
    return source_digest([f"{owner.__module__}:{owner.__qualname__}.{method}" for method in STUDY_ENTRIES[stage]])


def report_digest(notebook: str | Path) -> str:
    """Return the digest of the source code a notebook runs, its own text aside."""
    return source_digest(["compactvl.reporting.render", Path(notebook).absolute()])
