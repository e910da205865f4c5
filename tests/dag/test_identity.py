"""A job's key changes with everything that decides its outcome, and with nothing else."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from compactvl.config.overlay import load_config
from compactvl.dag.identity import (
    evaluation_identity,
    settings_digest,
    training_identity,
    variant_body,
    vectors_made,
)
from compactvl.dag.plan import Plan
from compactvl.dag.settings_files import write_settings_files
from compactvl.dag.stages import code_digest, evaluation_modules, training_modules
from compactvl.evaluation.benchmarks.language import Settings as LanguageBenchmark
from compactvl.files import read_json, sha256_file, write_json
from compactvl.records.layout import Layout
from compactvl.records.record import MANIFEST, Made, hashes, write
from compactvl.studies.base import Job, Needs
from compactvl.studies.gating import STUDY

VARIANTS = {
    "bpe": {"kind": "tokenizer", "texts": ["brown"], "vocabulary": 600},
    "random": {"kind": "random", "tokenizer": "bpe"},
}
BENCHMARK = LanguageBenchmark(kind="language", tasks={"pairs": {"kind": "minimal_pairs", "dataset": "pairs"}})
WORKFLOW = Path(__file__).parents[2] / "workflow"


def make(folder: Path, name: str) -> Path:
    return write(folder / MANIFEST, Made("made", ""), [], name=name)


@pytest.fixture
def job(tmp_path):
    layout = Layout(tmp_path)
    for folder in (layout.dataset("pairs"), *(layout.run("gating", name, 0) for name in VARIANTS)):
        make(folder, folder.name)
    peers = STUDY.revive(VARIANTS, "variants")
    return Job("gating", "random", 0, peers["random"], layout, layout.run("gating", "random", 0), peers)


def test_a_key_is_over_code_settings_seed_and_inputs(job, monkeypatch):
    first = training_identity(job)
    assert first.code == code_digest(training_modules(job.settings))
    assert first.inputs == hashes([job.layout.run("gating", "bpe", 0) / MANIFEST])
    assert list(first.settings) == [str(job.layout.settings("gating", "random"))]
    keys = {first.key}

    def another(changed: Job = job) -> None:
        keys.add(training_identity(changed).key)
        assert len(keys) == before + 1

    before = len(keys)
    another(replace(job, settings=job.settings.model_copy(update={"threads": 2})))
    before = len(keys)
    make(job.layout.run("gating", "bpe", 1), "seed0")
    another(replace(job, seed=1))
    before = len(keys)
    make(job.layout.run("gating", "bpe", 0), "other")
    another()
    before = len(keys)
    with monkeypatch.context() as patched:
        patched.setattr("compactvl.dag.identity.code_digest", lambda modules: "other")
        another()
    assert training_identity(replace(job, output=Path("elsewhere"))).key in keys, "where it is written decides nothing"


def test_an_evaluation_is_also_of_its_benchmark(job):
    first = evaluation_identity(job, "language", BENCHMARK)
    layout = job.layout
    read = (layout.run("gating", "random", 0), layout.dataset("pairs"), layout.run("gating", "bpe", 0))
    assert first.inputs.keys() == {str(folder / MANIFEST) for folder in read}
    names = (("gating", "random"), ("benchmarks", "language"))
    assert list(first.settings) == [str(layout.settings(*name)) for name in names]
    other = BENCHMARK.model_copy(update={"conditions": ("own",)})
    keys = {
        first.key,
        evaluation_identity(job, "language", other).key,
        evaluation_identity(job, "blimp", BENCHMARK).key,
    }
    assert len(keys) == 3
    assert first.modules == evaluation_modules(job.settings, BENCHMARK, job.peers) != training_modules(job.settings)
    assert first.code == code_digest(first.modules)


def test_an_encoder_brings_its_settings_and_weights_and_a_users_file_itself(job, monkeypatch):
    layout, norms = job.layout, job.layout.root / "norms.csv"
    norms.write_text("word")
    vit, other = (layout.settings("encoders", name) for name in ("vit", "other"))
    write_json(vit, {"loader": "dinov2_s", "weights": "dinov2_s"})
    write_json(other, {"loader": "timm"})
    weights = layout.weights("dinov2_s").with_suffix(".json")
    write_json(weights, {})
    needs = Needs(encoders=frozenset({"vit", "other"}), files=frozenset({str(norms)}))
    monkeypatch.setattr(type(STUDY), "training_needs", lambda *_: needs)
    made = training_identity(job)
    assert made.inputs == hashes([weights])
    assert made.settings.items() >= hashes([vit, other]).items()
    assert made.own_files == hashes([norms])


def test_what_a_job_says_of_its_settings_is_the_hash_of_their_file(tmp_path):
    plan = Plan(load_config([], WORKFLOW.parent / "config.yaml"), Layout(tmp_path))
    write_settings_files(plan)
    for name, resolved in plan.studies.items():
        files = {variant: plan.layout.settings(name, variant) for variant in resolved.variants}
        revived = resolved.study.revive({variant: read_json(path) for variant, path in files.items()}, "variants")
        for variant, path in files.items():
            assert settings_digest(variant_body(revived[variant])) == sha256_file(path), path


def test_what_is_read_of_a_data_set_is_what_a_stage_uses(tmp_path, monkeypatch):
    """Another caption encodes no image, another image embeds no caption."""
    monkeypatch.chdir(tmp_path)
    layout, settings = Layout(), Path("e.json")
    write_json(settings, {"loader": "timm", "weights": "w"})
    record = write(layout.weights("w").with_suffix(".json"), Made("weights", ""), [])
    files = {"items.parquet": "1" * 64, "images-00000.parquet": "2" * 64, "images-00001.parquet": "3" * 64}
    folder = layout.dataset("d")
    write(folder / MANIFEST, Made("curate", ""), files)
    tokens, texts = (vectors_made(stage, settings, folder, layout.weights("w")) for stage in ("encode", "embed"))
    images = {f"data/sets/d/images-0000{n}.parquet": str(n + 2) * 64 for n in (0, 1)}
    assert tokens.inputs == images | hashes([record])
    assert texts.inputs == {"data/sets/d/items.parquet": "1" * 64} | hashes([record])
    assert tokens.settings == texts.settings == hashes([settings])


def test_a_model_of_the_users_own_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "siglip"
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder / name).write_text(name)
    write(Layout().dataset("d") / MANIFEST, Made("curate", ""), {})
    for setting, paths in (
        ({"model": "siglip"}, list(folder.iterdir())),
        ({"model": "vit_tiny", "checkpoint": "siglip/model.safetensors"}, [folder / "model.safetensors"]),
        ({"model": "google/siglip", "checkpoint": None}, []),
    ):
        write_json("e.json", {"loader": "timm", **setting})
        assert vectors_made("encode", Path("e.json"), Layout().dataset("d"), None).own_files == hashes(paths)


def test_identity_needs_no_torch():
    code = "import sys, compactvl.dag.identity, compactvl.records.finished; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=WORKFLOW, check=False).returncode == 0
