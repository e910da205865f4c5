"""From any figure or number of the report back to the pinned packages, and work that is not done twice."""

import json
import os

import pandas as pd
import pytest
import yaml
from e2e_tools import SMALL, SMOKE, changed, copy_of, python, run, snakemake

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan
from compactvl.dag.restore import descriptions
from compactvl.files import sha256_file
from compactvl.records.record import provenance_path, read_record, record_path

pytestmark = pytest.mark.e2e
STUDIES = ("dide", "edje", "encoder_roles", "gating")
FACTS = {
    "stage",
    "key",
    "code",
    "settings",
    "seconds",
    "device",
    "threads",
    "hardware",
    "deterministic",
    "python",
    "packages",
    "digest",
}


def told(copy, *arguments):
    """Return what `compactvl explain --json` says of a chain that must be whole."""
    done = python(copy, "compactvl.cli", "explain", *arguments, "--json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def reports(finished):
    """What is told of each study's report."""
    return {study: told(finished, f"results/reports/{study}.html") for study in STUDIES}


@pytest.fixture(scope="module")
def plan(finished):
    return Plan(load_config([finished / name for name in SMOKE[1:]], finished / "config.yaml"))


@pytest.mark.parametrize("study", STUDIES)
def test_the_chain_of_a_report_ends_at_the_packages_of_the_config(finished, reports, study):
    sources = yaml.safe_load((finished / "config.yaml").read_text())["sources"]
    names = {f"data/sources/{source['file']}": name for name, source in sources.items()}
    steps = reports[study]["steps"]
    found = {names[path]: (step, path) for step in steps for path in step["sources"]}
    assert {"noto", "twemoji", "fluent", "openmoji", "emojibase", "dinov2"} <= found.keys()
    assert {"gating": "brown"}.get(study, "minilm") in found
    for name, (step, path) in found.items():
        assert step["inputs"][path] == sources[name]["sha256"]
        facts = step["sources"][path]
        for fact in ("package", "version", "licence"):
            assert facts[fact] == sources[name][fact]
        pin = yaml.safe_load((finished / facts["dvc"]).read_text())
        assert pin["outs"][0]["md5"] == facts["md5"]
    # Whatever else a step read was made by another step, or is a file of the repository or of the user's.
    loose = {path for step in steps for path in step["inputs"] if path not in step["sources"] | step["steps"]}
    assert loose <= {f"reports/{study}.py", "reports/paper.mplstyle", "photos/captions.csv"}


@pytest.mark.parametrize("study", STUDIES)
def test_every_step_says_how_it_was_made(finished, reports, study):
    stages = {step["body"]["stage"] for step in reports[study]["steps"]}
    assert {"curate", "weights", "encode", "train", "evaluate", "collect", "parameters", "report"} <= stages
    for step in reports[study]["steps"]:
        made = step["provenance"]
        assert made.keys() >= FACTS, step["record"]
        assert made["seconds"] is not None, step["record"]
        assert made["code"] == step["code_now"] is not None, step["record"]
        if step["body"]["stage"] in ("train", "evaluate"):
            assert made["deterministic"]["algorithms"] is True
            assert isinstance(step["body"]["seed"], int)
            assert step["settings"]
    keys = [step["provenance"]["key"] for step in reports[study]["steps"]]
    assert len(set(keys)) == len(keys), "two jobs never have one key"


def test_the_plan_and_the_commands_describe_every_job_alike(finished, plan, monkeypatch):
    monkeypatch.chdir(finished)
    described = dict(descriptions(plan))
    for record, describe in described.items():
        assert read_record(provenance_path(record))["key"] == describe().key, record
    made = {record_path(path) for folder in plan.layout.made for path in folder.rglob("*provenance.json")}
    assert made == described.keys()


def test_every_figure_and_table_is_in_the_record_of_its_report(finished, reports):
    for study, told_of in reports.items():
        folder = finished / "results" / "figures" / study
        recorded = told_of["steps"][0]["files"].keys()
        drawn = {str(path.relative_to(finished)) for path in folder.iterdir()}
        assert drawn <= recorded
        assert f"results/reports/{study}.html" in recorded


def test_a_result_names_everything_its_evaluation_read(finished, plan):
    for job in plan.evaluations:
        needs = plan.needs(job.study, job.variant, job.benchmark)
        layout = plan.layout
        folders = [layout.dataset(name) for name in needs.datasets]
        folders += [layout.run(job.study, name, job.seed) for name in {job.variant, *needs.variants}]
        folders += [layout.tokens(*pair) for pair in needs.tokens] + [layout.texts(*pair) for pair in needs.texts]
        path = finished / layout.result(job.study, job.variant, job.seed) / f"{job.benchmark}.json"
        inputs, settings = read_record(path)["inputs"], read_record(provenance_path(path))["settings"]
        wanted = {str(folder / "manifest.json") for folder in folders}
        assert wanted <= inputs.keys(), path
        assert all(name.startswith("cache/weights/") for name in inputs.keys() - wanted), path
        assert all(sha256_file(finished / name) == sha256 for name, sha256 in inputs.items()), path
        read = [("benchmarks", job.benchmark), (job.study, job.variant), *(("encoders", e) for e in needs.encoders)]
        assert settings.keys() == {str(layout.settings(*name)) for name in read}


@pytest.mark.parametrize("table", ["results/metrics.csv", "results/summary.csv"])
def test_a_number_of_a_table_is_the_number_of_its_result(finished, table):
    metrics = pd.read_csv(finished / "results" / "metrics.csv")
    for study in STUDIES:
        row = metrics[metrics["study"] == study].iloc[-1]
        name = f"{row['study']}/{row['variant']}/{row['benchmark']}/{row['metric']}@{row['seed']}"
        chain = told(finished, table, "--row", name, "--quick")
        (number,) = chain["numbers"]
        assert float(f"{number['value']:.6g}") == row["value"]
        assert number["file"] == f"results/{study}/{row['variant']}/seed{row['seed']}/{row['benchmark']}.json"
        results = [step for step in chain["steps"] if step["body"]["stage"] == "evaluate"]
        assert [step["record"] for step in results] == [number["file"]]


def test_an_edited_number_is_found_by_its_readers(finished):
    path = finished / "results" / "edje" / "retriever" / "seed0" / "scenes.json"
    before = path.read_text()
    body = json.loads(before)
    value = body["metrics"][0]["value"]
    body["metrics"][0]["value"] = value + 0.1
    with changed(path, json.dumps(body, indent=2).encode()):
        done = python(finished, "compactvl.cli", "collect", "--study", "edje")
        assert done.returncode == 2
        assert "scenes.json was edited, damaged" in done.stderr
        done = python(finished, "compactvl.cli", "explain", "results/metrics.csv", "--quick")
        assert done.returncode == 1
        assert "results/edje/retriever/seed0/scenes.json: edited or damaged" in done.stdout
    assert path.read_text() == before


@pytest.mark.slow
def test_what_comes_before_runs_again_to_the_same_bytes_and_nothing_is_trained(small, tmp_path):
    """The jobs after a forced one run, look, and keep what is there, if it is whole."""
    copy = copy_of(small, tmp_path / "copy")
    run_record = copy / "runs" / "edje" / "photos" / "seed0" / "manifest.json"
    result = copy / "results" / "edje" / "photos" / "seed0" / "photos.json"
    target = str(result.relative_to(copy))
    made = {path: path.read_bytes() for path in [*run_record.parent.iterdir(), *result.parent.iterdir()]}
    snakemake(copy, "--forcerun", "curate", "--configfile", *SMALL[1:], "--", target)
    logs = [copy / "logs/train/edje/photos/seed0.log", copy / "logs/evaluate/edje/photos/seed0/photos.log"]
    for log in logs:
        assert "already made with this code, these settings, seed and inputs: kept" in log.read_text()
    assert {path: path.read_bytes() for path in made} == made, "provenance too: it says when it was trained"
    assert "Nothing to be done" in snakemake(copy, "-n", "--configfile", *SMALL[1:], "--", target)
    # A damaged model is not kept.
    model = run_record.with_name("model.safetensors")
    model.write_bytes(model.read_bytes()[:-1] + b"\0")
    run_record.unlink()
    snakemake(copy, "--configfile", *SMALL[1:], "--", target, str(run_record.relative_to(copy)))
    assert "kept" not in logs[0].read_text()
    assert model.read_bytes() == made[model], "trained again, to the same bits"
    assert result.read_bytes() == made[result]
    assert "kept" in logs[1].read_text(), "the run is the same again, so is its result"


@pytest.mark.slow
def test_force_does_it_again(finished, tmp_path):
    copy = copy_of(finished, tmp_path / "copy")
    folder = copy / "runs" / "gating" / "bpe" / "seed0"
    settings, out = "state/settings/gating/bpe.json", str(folder.relative_to(copy))
    command = ("compactvl.cli", "train", "--settings", settings, "--study", "gating", "--variant", "bpe", "--seed", "0")
    provenance = provenance_path(folder / "manifest.json")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    os.utime(provenance, (1e9, 1e9))
    assert "kept" in run(copy, *command, "--out", out)
    assert provenance.stat().st_mtime > 1e9
    assert "kept" not in run(copy, *command, "--out", out, "--force")
    after = {path: path.read_bytes() for path in folder.iterdir()}
    assert read_record(provenance)["key"] == json.loads(before[provenance])["key"]
    assert {path: data for path, data in after.items() if path != provenance} == {
        path: data for path, data in before.items() if path != provenance
    }
