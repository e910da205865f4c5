"""What is made again after an edit: exactly what depends on it. The table of docs/reproducibility.md."""

import contextlib
import json
import os
import re
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_tools import SMOKE, changed, copy_of, photo, planned_outputs, run, snakemake, write_yaml

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.files import read_json, sha256_file
from compactvl.vision.store import TokenStore

pytestmark = pytest.mark.e2e
LABELS = (
    (r"data/sources/(\w+)\.(?:tgz|whl)", r"fetch \1"),
    (r"data/sets/(\w+)/.*", r"curate \1"),
    (r"cache/weights/(\w+)\..*", r"weights \1"),
    (r"cache/tokens/(.+)/.*", r"encode \1"),
    (r"cache/texts/(.+)/.*", r"embed \1"),
    (r"runs/(.+)/seed(\d+)/.*", r"train \1 \2"),
    (r"results/(.+)/seed(\d+)/(\w+)\..*", r"evaluate \1 \2 \3"),
    (r"results/(\w+)/metrics\.csv", r"collect \1"),
    (r"results/metrics\.csv", r"collect"),
    (r"results/(\w+)/parameters\.csv", r"parameters \1"),
    (r"results/reports/index\.html", r"index"),
    (r"results/reports/(\w+)\.html", r"report \1"),
)
DRY_RUN_SECONDS = 20
DIDE, EDJE, ESSEN, GATING, ROLES = (
    {f"collect {one}", "collect", f"report {one}", "index"}
    for one in ("dide", "edje", "essen", "gating", "encoder_roles")
)
PHOTOS = {"encode dinov2_s/photos", "encode efficientnet_lite0/photos", "embed minilm/photos"}
PHOTO_JOBS = {"curate photos", *PHOTOS, "train edje/photos 0", "evaluate edje/photos 0 photos", *EDJE}


def dry_run(copy: Path, *overlays: str) -> set[str]:
    """Return a label for each job of a dry run."""
    outputs = planned_outputs(snakemake(copy, "-n", "all", "tokens", *SMOKE, *overlays))
    paths = [path for found in outputs.values() for path in found]
    found = set()
    for path in paths:
        labels = [re.sub(pattern, label, path) for pattern, label in LABELS if re.fullmatch(pattern, path)]
        assert labels, f"no label for {path}"
        found.add(labels[0])
    return found


@pytest.fixture(scope="module")
def everything(finished):
    """The labels of all jobs there are."""
    plan = Plan(load_config([finished / name for name in SMOKE[1:]], finished / "config.yaml"))
    # A job of all seeds is known by its first.
    first = plan.seeds_together[:1]
    trainings, evaluations = (
        [job for job in jobs if job.study not in plan.together or job.seed in first]
        for jobs in (plan.trainings, plan.evaluations)
    )
    jobs = {f"train {job.study}/{job.variant} {job.seed}" for job in trainings}
    jobs |= {f"evaluate {job.study}/{job.variant} {job.seed} {job.benchmark}" for job in evaluations}
    jobs |= {f"encode {encoder}/{dataset}" for encoder, dataset in plan.tokens}
    jobs |= {f"embed {encoder}/{dataset}" for encoder, dataset in plan.texts}
    return jobs | {f"parameters {study}" for study in plan.studies} | DIDE | EDJE | ESSEN | GATING | ROLES


def of(jobs: set[str], *kinds: str) -> set[str]:
    """Return the jobs of some kinds."""
    return {job for job in jobs if job.split()[0] in kinds}


@contextlib.contextmanager
def overlay(copy: Path, settings: dict) -> Iterator[str]:
    """Write an overlay for as long as the context lasts; yield its name."""
    path = copy / "edit.yaml"
    write_yaml(path, settings)
    try:
        yield path.name
    finally:
        path.unlink()


def replaced(path: Path, old: str, new: str) -> bytes:
    """Return a file's content with the one place of ``old`` replaced."""
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
    return text.replace(old, new).encode()


def locked(copy: Path, file: str, package: str) -> tuple[Path, bytes]:
    """Return a lock file and its content with another version of a package."""
    path = copy / "envs" / file
    text, count = re.subn(rf"^{package}==\S+", f"{package}==99.9", path.read_text(), flags=re.MULTILINE)
    assert count == 1
    return path, text.encode()


def test_one_caption_changed(finished):
    path = finished / "photos" / "captions.csv"
    with changed(path, path.read_bytes().replace(b"number 3,", b"of number 3,")):
        assert dry_run(finished) == PHOTO_JOBS


def test_one_image_added(finished):
    path = finished / "photos" / "captions.csv"
    new = finished / "photos" / "040.png"
    try:
        captions = photo(new.parent, 40)
        with changed(path, path.read_bytes() + f"040.png,{captions[0]},test\n".encode()):
            assert dry_run(finished) == PHOTO_JOBS
    finally:
        new.unlink()


def test_one_image_drawn_anew_in_its_place(finished):
    path = finished / "photos" / "004.png"
    with changed(path, (finished / "photos" / "005.png").read_bytes()):
        assert dry_run(finished) == PHOTO_JOBS
    assert dry_run(finished) == set()


def test_one_variants_learning_rate(finished):
    with overlay(finished, {"studies": {"gating": {"variants": {"clip": {"optimiser": {"lr": 0.0123}}}}}}) as edit:
        jobs = dry_run(finished, edit)
    assert jobs == {"train gating/clip 0", "evaluate gating/clip 0 language", "parameters gating", *GATING}


def test_a_seed_added(finished, everything):
    with overlay(finished, {"seeds": [0, 1]}) as edit:
        jobs = dry_run(finished, edit)
    # Some variants have seeds of their own.
    plan = Plan(load_config([finished / name for name in SMOKE[1:]], finished / "config.yaml"))
    own = {
        f"{study}/{name}"
        for study, resolved in plan.studies.items()
        for name, variant in resolved.variants.items()
        if variant.seeds
    }
    trained = {job.replace(" 0", " 1") for job in of(everything, "train", "evaluate") if job.split()[1] not in own}
    assert jobs == trained | DIDE | EDJE | ESSEN | GATING


def test_a_plotting_function(finished):
    path = finished / "workflow" / "compactvl" / "studies" / "edje" / "report" / "figures" / "swaps.py"
    with changed(path, path.read_bytes() + b"\nUNUSED = 1\n"):
        assert dry_run(finished) == {"report edje", "index"}


def test_the_training_loop(finished, everything):
    path = finished / "workflow" / "compactvl" / "training" / "loop.py"
    with changed(path, replaced(path, "SAVE_EVERY_SECONDS = 60.0", "SAVE_EVERY_SECONDS = 61.0")):
        jobs = dry_run(finished)
    assert of(jobs, "curate", "weights", "encode", "embed", "parameters") == set()
    assert of(jobs, "train", "evaluate") == of(everything, "train", "evaluate")


def test_one_encoders_preprocessing(finished, everything):
    with overlay(finished, {"encoders": {"efficientnet_lite0": {"resize": "pad"}}}) as edit:
        assert dry_run(finished, edit) == {"encode efficientnet_lite0/photos"}
    with overlay(finished, {"encoders": {"dinov2_s": {"resize": "pad"}}}) as edit:
        jobs = dry_run(finished, edit)
    assert of(jobs, "curate", "weights", "embed", "parameters") == set()
    assert of(jobs, "encode") == {job for job in of(everything, "encode") if job.startswith("encode dinov2_s/")}
    assert {"train edje/retriever 0", "train gating/base 0"} <= jobs
    assert "train gating/bpe 0" not in jobs, "it reads texts only"


@pytest.mark.slow
def test_settings_that_change_while_state_is_lost(finished, tmp_path):
    """A clone has no settings files: what a thing was made with is in its provenance."""
    state, aside = finished / "state" / "settings", tmp_path / "settings"
    edits = {
        "encoders": {"efficientnet_lite0": {"resize": "pad"}},
        "text_encoders": {"minilm": {"precision": "fp32"}},
        "benchmarks": {"photos": {"queries_per_image": 2}},
    }
    shutil.copytree(state, aside)
    try:
        with overlay(finished, edits) as edit:
            seen = dry_run(finished, edit)
            assert {"encode efficientnet_lite0/photos", "embed minilm/photos"} <= seen
            assert "evaluate edje/photos 0 photos" in seen
            assert dry_run(finished) == set()
            shutil.rmtree(state)
            assert dry_run(finished) == set()
            shutil.rmtree(state)
            assert dry_run(finished, edit) == seen
    finally:
        shutil.rmtree(state, ignore_errors=True)
        shutil.move(aside, state)


def test_a_sources_pin(finished, everything):
    path = finished / "data" / "sources" / "brown.tgz.dvc"
    with changed(path, re.sub(rb"md5: \w{32}", b"md5: " + b"0" * 32, path.read_bytes())):
        jobs = dry_run(finished)
    assert of(jobs, "curate") == {"curate brown", "curate brown_pairs"}
    assert of(jobs, "weights", "encode", "embed", "parameters") == set()
    assert {job for job in jobs if "edje" in job} == set()
    assert "train gating/bpe 0" in jobs


def test_what_no_result_depends_on(finished):
    loop, profile = (
        finished / name for name in ("workflow/compactvl/training/loop.py", "profiles/default/config.yaml")
    )
    for pattern in ("runs/**/*.safetensors", "cache/**/*.npy", "data/sets/**/*.parquet", "data/sources/*.[tw]*"):
        for path in finished.glob(pattern):
            os.utime(path)
    with contextlib.ExitStack() as stack:
        for name in ("README.md", "Makefile", "docs/architecture.md", "tests/conftest.py"):
            stack.enter_context(changed(finished / name, (finished / name).read_bytes() + b"\nmore = 1\n"))
        stack.enter_context(changed(profile, replaced(profile, "gpu=8", "gpu=4")))
        stack.enter_context(changed(loop, loop.read_bytes() + b"\n# a remark\n"))
        stack.enter_context(changed(*locked(finished, "requirements-dev.lock", "ruff")))
        assert dry_run(finished) == set()


def test_a_package_in_the_lock(finished, everything):
    with changed(*locked(finished, "requirements.lock", "matplotlib")):
        jobs = dry_run(finished)
    # Its fonts write the pictures of words.
    read = {job for job in of(everything, "encode", "embed") if job.endswith("/words")}
    learned = {job for job in of(everything, "train", "evaluate") if " encoder_roles/" in job}
    assert jobs == {"curate words", *read, *learned, *of(everything, "report")} | set(ROLES)
    with changed(*locked(finished, "requirements.lock", "scikit-posthocs")):
        assert dry_run(finished) == {job for job in everything if job.startswith("evaluate gating")} | GATING
    with changed(*locked(finished, "requirements-torch.lock", "torch")):
        jobs = dry_run(finished)
    assert of(jobs, "curate") == set()
    assert of(everything, "encode", "embed", "train", "evaluate", "parameters") <= jobs


def test_a_dry_run_of_the_demo_takes_seconds(finished):
    """In processor time, which a busy machine does not stretch."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run(finished, "snakemake", "-n", "all", "--directory", "demo")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(finished / "demo")
    plan = Plan(load_config([], finished / "config.yaml"))
    runs = [path for rule, paths in planned_outputs(output).items() if rule.startswith("train") for path in paths]
    trained = {tuple(path.split("/")[1:3]) for path in runs}
    variants = {(name, key): one for name, study in plan.studies.items() for key, one in study.variants.items()}
    assert trained == {key for key, one in variants.items() if one.seeds != ()}, "all that are not left to another size"
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < DRY_RUN_SECONDS


@pytest.mark.slow
def test_an_added_image_is_encoded_alone_and_a_changed_caption_encodes_nothing(finished, tmp_path):
    copy = copy_of(finished, tmp_path / "copy")
    store = copy / "cache" / "tokens" / "dinov2_s" / "photos"
    target = "results/edje/photos/seed0/photos.json"
    others = {path: sha256_file(path) for path in (copy / "cache" / "tokens").rglob("*") if path.is_file()}
    times = {path: path.stat().st_mtime_ns for path in others}
    result = read_json(copy / target)["metrics"]

    captions = copy / "photos" / "captions.csv"
    first, second = photo(captions.parent, 40)
    captions.write_text(captions.read_text() + f"040.png,{first},test\n040.png,{second},test\n")
    snakemake(copy, target, *SMOKE)
    manifest = read_json(store / "manifest.json")
    assert manifest["shards"] == {"0": 40, "1": 1}
    assert TokenStore.open(store).ids[-1] == "040.png"
    shards = [path for path in others if path.parent == store and path.name.startswith("shard-")]
    assert len(shards) >= 3
    elsewhere = [path for path in others if "photos" not in path.parts]
    for path in [*shards, *elsewhere]:
        assert (sha256_file(path), path.stat().st_mtime_ns) == (others[path], times[path]), path
    assert read_json(copy / target)["metrics"] != result

    before = (store / "manifest.json").read_bytes()
    captions.write_text(captions.read_text().replace("number 3,", "of number 3,"))
    snakemake(copy, target, *SMOKE)
    assert (store / "manifest.json").read_bytes() == before
    log = (copy / "logs" / "encode" / "dinov2_s" / "photos.log").read_text()
    assert "0/0" in log or "nothing to encode" in log, log
    texts = json.dumps(read_json(copy / "data" / "sets" / "photos" / "manifest.json"))
    assert sha256_file(copy / "data" / "sets" / "photos" / "items.parquet") in texts
