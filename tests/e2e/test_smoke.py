"""The whole DAG in its smallest size, in a working copy of the repository."""

import os
import subprocess
import sys

import pandas as pd
import pytest
import yaml
from e2e_tools import SMOKE, planned, run, snakemake, working_copy

pytestmark = pytest.mark.e2e


def test_everything_is_made(finished):
    from compactvl.evaluation.results import COLUMNS

    metrics = pd.read_csv(finished / "results" / "metrics.csv")
    assert tuple(metrics.columns) == COLUMNS
    assert metrics["value"].notna().all()
    config = yaml.safe_load((finished / "config.yaml").read_text())
    assert set(metrics["study"]) == set(config["studies"])
    for name in config["studies"]:
        report = (finished / "results" / "reports" / f"{name}.html").read_text()
        assert len(report) > 10_000
        assert "Warning:" not in report, "a reader sees what a library complained of"
        assert (finished / "results" / name / "parameters.csv").is_file()
        figures = {path.suffix for path in (finished / "results" / "figures" / name).iterdir()}
        assert {".pdf", ".svg", ".png", ".csv", ".tex"} <= figures
    tables = finished / "results" / "figures" / "edje"
    assert (tables / "parameters.csv").is_file()
    assert pd.read_csv(tables / "cost.csv")["parameters"].str.fullmatch(r"[\d.]+ M").all()
    assert "metrics.csv" in (finished / "results" / "reports" / "index.html").read_text()
    assert not list((finished / "state").glob("resume/**/*.*")), "resume state goes away on success"


def test_every_file_is_as_its_manifest_says(finished):
    assert "every file is as recorded" in run(finished, "compactvl.cli", "verify")


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, "all", *SMOKE)


def test_another_variant_trains_only_itself(finished):
    overlay = finished / "more.yaml"
    config = yaml.safe_load((finished / "config.yaml").read_text())
    study, section = next(iter(config["studies"].items()))
    base = next(name for name, variant in section["variants"].items() if variant.get("benchmarks"))
    variant = {"base": base, "benchmarks": section["variants"][base]["benchmarks"][:1]}
    overlay.write_text(yaml.safe_dump({"studies": {study: {"variants": {"another": variant}}}}))
    jobs = planned(snakemake(finished, "-n", "all", *SMOKE, str(overlay)))
    assert jobs["train"] == 1
    assert jobs["evaluate"] == 1
    assert not {"curate", "encode", "embed", "weights"} & jobs.keys()
    # The next run sees the same settings as before: nothing changed.
    assert "Nothing to be done" in snakemake(finished, "-n", "all", *SMOKE)


def test_jobs_that_wait_cost_snakemake_nothing(finished):
    """It looks for a job to start when one has ended, not again and again in between."""
    tables = [str(path.relative_to(finished)) for path in finished.glob("results/*/parameters.csv")]
    again = ("--verbose", "--forcerun", "parameters", "--configfile", *SMOKE[1:], "--", *tables)
    output = snakemake(finished, "--cores", "1", *again)
    looks, ended = output.count("Resources before job selection"), output.count("Finished jobid")
    assert ended == len(tables) >= 5
    assert looks == ended


def stand_ins(dataset: dict) -> list[str]:
    """Return the files that must be there for a data set of the user's own to be planned."""
    match dataset["kind"]:
        case "karpathy":
            return [dataset["annotations"]]
        case "refcoco":
            return [dataset["refs"], dataset["instances"]]
        case "vqav2":
            return [*dataset["questions"].values(), *dataset["annotations"].values()]
        case "nlvr2" | "snli_ve":
            return list(dataset["annotations"].values())
        case "text_lines":
            return [f"{dataset['path']}/{dataset['pattern'].replace('*', 'childes')}"]
        case "babylm_captions":
            vectors = [[entry] if isinstance(entry, str) else entry for entry in dataset["vectors"]]
            return [*dataset["captions"], *(path for entry in vectors for path in entry)]
        case _:
            return [f"{dataset['path']}/items.jsonl", *filter(None, [dataset.get("vectors")])]


def test_the_paper_size_plans_once_its_files_are_there(tmp_path):
    copy = working_copy(tmp_path / "copy")
    paper = yaml.safe_load((copy / "config" / "paper.yaml").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", "--configfile", "config/paper.yaml"],
        cwd=copy, env={**os.environ, "PYTHONPATH": str(copy / "workflow")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "dataset_" in done.stdout + done.stderr, "a missing file is named, with where to get it"
    for dataset in filter(None, paper["datasets"].values()):
        if folder := dataset.get("images"):
            (copy / folder).mkdir(parents=True, exist_ok=True)
        for path in stand_ins(dataset):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).touch()
    jobs = planned(snakemake(copy, "-n", "--configfile", "config/paper.yaml"))
    assert jobs["train"] > 20
    declared = {name for name, dataset in paper["datasets"].items() if dataset}
    assert jobs["curate"] == len(declared)
