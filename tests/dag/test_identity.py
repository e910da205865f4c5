"""A job's key changes with everything that decides its outcome, and with nothing else."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.identity import evaluation_identity, inputs_of, training_identity
from compactvl.dag.plan import Plan
from compactvl.dag.stages import evaluation_digest, training_digest
from compactvl.evaluation.benchmarks.language import Settings as LanguageBenchmark
from compactvl.files import write_json
from compactvl.records.layout import Layout
from compactvl.records.record import manifest_digest, write_manifest
from compactvl.studies.base import Job, Needs
from compactvl.studies.gating import STUDY

VARIANTS = {
    "bpe": {"kind": "tokenizer", "texts": ["brown"], "vocabulary": 600},
    "random": {"kind": "random", "tokenizer": "bpe"},
}
BENCHMARK = LanguageBenchmark(kind="language", tasks={"pairs": {"kind": "minimal_pairs", "dataset": "pairs"}})
WORKFLOW = Path(__file__).parents[2] / "workflow"


@pytest.fixture
def job(tmp_path):
    layout = Layout(tmp_path)
    for folder in (layout.dataset("pairs"), *(layout.run("gating", name, 0) for name in VARIANTS)):
        write_manifest(folder, stage="made", name=folder.name)
    peers = STUDY.revive(VARIANTS, "variants")
    return Job("gating", "random", 0, peers["random"], layout, layout.run("gating", "random", 0), peers)


def test_a_key_is_over_code_settings_seed_and_inputs(job, monkeypatch):
    first = training_identity(job)
    assert first.code == training_digest(job.settings)
    assert first.inputs == {"run bpe": manifest_digest(job.layout.run("gating", "bpe", 0))}
    keys = {first.key}

    def another(changed: Job = job) -> None:
        keys.add(training_identity(changed).key)
        assert len(keys) == before + 1

    before = len(keys)
    another(replace(job, settings=job.settings.model_copy(update={"threads": 2})))
    before = len(keys)
    write_manifest(job.layout.run("gating", "bpe", 1), stage="made", name="seed0")
    another(replace(job, seed=1))
    before = len(keys)
    write_manifest(job.layout.run("gating", "bpe", 0), stage="made", name="other")
    another()
    before = len(keys)
    with monkeypatch.context() as patched:
        patched.setattr("compactvl.dag.identity.training_digest", lambda settings: "other")
        another()
    assert training_identity(replace(job, output=Path("elsewhere"))).key in keys, "where it is written decides nothing"


def test_an_evaluation_is_also_of_its_benchmark(job):
    first = evaluation_identity(job, "language", BENCHMARK)
    assert first.inputs.keys() == {"run", "dataset pairs", "run bpe"}
    other = BENCHMARK.model_copy(update={"conditions": ("own",)})
    keys = {
        first.key,
        evaluation_identity(job, "language", other).key,
        evaluation_identity(job, "blimp", BENCHMARK).key,
    }
    assert len(keys) == 3
    assert first.code == evaluation_digest(job.settings, BENCHMARK, job.peers) != training_digest(job.settings)


def test_an_encoder_brings_its_weights_and_a_file_itself(tmp_path):
    layout, norms = Layout(tmp_path), tmp_path / "norms.csv"
    norms.write_text("word")
    write_json(layout.settings("encoders", "vit"), {"loader": "dinov2_s", "weights": "dinov2_s"})
    write_json(layout.settings("encoders", "other"), {"loader": "timm"})
    write_json(layout.weights("dinov2_s").with_suffix(".json"), {})
    job = Job("edje", "v", 0, None, layout, tmp_path)
    inputs = inputs_of(job, Needs(encoders=frozenset({"vit", "other"}), files=frozenset({str(norms)})))
    names = ["weights dinov2_s", "encoder settings other", "encoder settings vit", f"file {norms}"]
    assert list(inputs) == names


def test_the_rule_and_the_job_mean_the_same_code():
    plan = Plan(load_config([], WORKFLOW.parent / "config.yaml"))
    peers = plan.studies["gating"].variants
    benchmark = plan.root.benchmarks["language"]
    assert plan.job_digest("gating", "bpe") == training_digest(peers["bpe"])
    assert plan.job_digest("gating", "base", "language") == evaluation_digest(peers["base"], benchmark, peers)


def test_identity_needs_no_torch():
    code = "import sys, compactvl.dag.identity, compactvl.records.finished; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=WORKFLOW, check=False).returncode == 0
