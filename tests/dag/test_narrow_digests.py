"""What computes no outcome of a job leaves the digest of its code alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DIGESTS = """
import json
from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.stages import (
    STAGE_MODULES, code_digest, curate_modules, encode_modules, evaluation_modules, training_modules, weights_modules
)

plan = Plan(load_config(["config/smoke.yaml"]))
digests = {f"curate {name}": code_digest(curate_modules(kind.kind)) for name, kind in plan.root.datasets.items()}
digests |= {f"weights {name}": code_digest(weights_modules(one.format)) for name, one in plan.root.weights.items()}
digests |= {f"encode {name}": code_digest(encode_modules(one.loader)) for name, one in plan.root.encoders.items()}
digests["embed"] = code_digest(STAGE_MODULES["embed"])
for job in plan.trainings:
    digests[f"train {job.study}/{job.variant}"] = code_digest(training_modules(plan.variant(job.study, job.variant)))
for job in plan.evaluations:
    key = f"evaluate {job.study}/{job.variant} on {job.benchmark}"
    peers = plan.studies[job.study].variants
    modules = evaluation_modules(peers[job.variant], plan.root.benchmarks[job.benchmark], peers)
    digests[key] = code_digest(modules)
print(json.dumps(digests))
"""
DATA_KIND = """
from typing import Literal
from compactvl.data.kind import DataKind

class Settings(DataKind):
    holds = frozenset({"captions"})
    kind: Literal["novel"]
"""
BENCHMARK_KIND = """
from typing import ClassVar, Literal
from compactvl.evaluation.kind import BenchmarkKind

class Settings(BenchmarkKind):
    ability: ClassVar[str] = "pairs"
    kind: Literal["novel"]
"""
STUDY = """
from typing import Literal
from compactvl.studies.base import Variant
from compactvl.studies.study import Study

class Novel(Variant):
    trains = "compactvl.studies.run:train_nothing"
    kind: Literal["novel"]

STUDY = Study("novel", [Novel])
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("workflow", "envs", "config"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "config.yaml", folder)
    return folder


def digests(folder: Path) -> dict[str, str]:
    environment = {**os.environ, "PYTHONPATH": str(folder / "workflow"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", DIGESTS]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def before(copy) -> dict[str, str]:
    return digests(copy)


def changed(copy: Path, before: dict[str, str], name: str, text: str) -> set[str]:
    """Return the jobs whose digest changes while a file of the package has another text."""
    path = copy / "workflow" / "compactvl" / name
    old = path.read_text(encoding="utf-8") if path.is_file() else None
    path.parent.mkdir(exist_ok=True)
    path.write_text((old or "") + text, encoding="utf-8")
    try:
        after = digests(copy)
    finally:
        path.unlink() if old is None else path.write_text(old, encoding="utf-8")
    assert after.keys() == before.keys()
    return {job for job in before if after[job] != before[job]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data/kinds/novel.py", DATA_KIND),
        ("evaluation/benchmarks/novel.py", BENCHMARK_KIND),
        ("studies/novel/__init__.py", STUDY),
        ("vision/loaders/novel.py", "\nMORE = 1\n"),
        ("vision/formats/novel.py", "\nMORE = 1\n"),
        ("config/encoders.py", "\nMORE = 1\n"),
        ("reporting/style.py", "\nMORE = 1\n"),
        ("evaluation/collect.py", "\nCOLUMN = 'more'\n"),
        ("records/machine.py", "\nPACKAGES = (*PACKAGES, 'more')\n"),
        ("dag/plan.py", "\nMORE = 1\n"),
        ("cli/runs.py", "\nMORE = 1\n"),
        ("config/base.py", "\nMORE = 1\n"),
    ],
)
def test_what_computes_no_outcome_changes_no_digest(copy, before, name, text):
    assert changed(copy, before, name, text) == set()


@pytest.mark.parametrize(
    ("name", "some", "none"),
    [
        ("data/kinds/swaps.py", {"curate swaps"}, {"curate scenes", "train edje/retriever"}),
        (
            "evaluation/benchmarks/winoground.py",
            {"evaluate edje/edje on swaps", "evaluate edje/score_fusion on swaps"},
            {"evaluate edje/edje on scenes", "train edje/edje", "train edje/score_fusion"},
        ),
        ("vision/loaders/dinov2_s.py", {"encode dinov2_s"}, {"encode efficientnet_lite0", "weights dinov2_s"}),
        ("vision/formats/minilm.py", {"weights minilm"}, {"weights dinov2_s", "encode dinov2_s", "embed"}),
        ("studies/edje/train_embedding.py", {"train edje/retriever"}, {"train edje/edje", "train gating/base"}),
        ("studies/edje/open.py", {"evaluate edje/shuffled_tokens on scenes"}, {"train edje/retriever"}),
        ("studies/gating/train.py", {"train gating/base"}, {"train gating/bpe", "train edje/edje"}),
        ("nn/bert.py", {"train edje/edje", "evaluate edje/random_scores on swaps"}, {"train gating/bpe"}),
    ],
)
def test_a_kind_is_made_again_by_its_own_code_alone(copy, before, name, some, none):
    found = changed(copy, before, name, "\nMORE = 1\n")
    assert some <= found
    assert not none & found
