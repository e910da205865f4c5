"""A whole small study moves into a finished benchmark: only its own jobs run, and no file elsewhere is edited."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from e2e_tools import REPOSITORY, SMOKE, copy_of, planned_outputs, run, snakemake

from compactvl.files import read_json

pytestmark = pytest.mark.e2e
GUEST = REPOSITORY / "tests" / "guest"
WITH_GUEST = (*SMOKE, "guest.yaml")
VARIANTS = ("pooled", "mean", "pooled+mean", "random_scores")
GUESTS_JOBS = {
    *(f"runs/guest/{variant}/seed0/model.safetensors" for variant in VARIANTS),
    *(f"results/guest/{variant}/seed0/scenes.parquet" for variant in VARIANTS),
    "results/guest/parameters.csv",
    "results/guest/metrics.csv",
    "results/reports/guest.html",
}
OF_ALL = {"results/metrics.csv", "results/reports/index.html"}
"""The table and the page of all studies."""


def move_in(copy: Path) -> None:
    """Put the guest where a study of the project would be."""
    shutil.copytree(GUEST / "guest", copy / "workflow" / "compactvl" / "studies" / "guest")
    shutil.copy(GUEST / "notebook.py", copy / "reports" / "guest.py")
    shutil.copy(GUEST / "config.yaml", copy / "guest.yaml")


@pytest.fixture(scope="module")
def copy(finished, tmp_path_factory) -> Path:
    copy = copy_of(finished, tmp_path_factory.mktemp("guest") / "copy")
    move_in(copy)
    return copy


def test_only_the_guests_jobs_are_planned(copy):
    outputs = planned_outputs(run(copy, "snakemake", "-n", "all", "--configfile", *WITH_GUEST[1:]))
    assert {path for paths in outputs.values() for path in paths} == GUESTS_JOBS | OF_ALL


def test_it_runs_to_its_report_and_nothing_else_runs(copy):
    others = {path: path.stat().st_mtime_ns for path in (copy / "runs").rglob("*") if path.is_file()}
    snakemake(copy, "all", *WITH_GUEST)
    assert {path: path.stat().st_mtime_ns for path in others} == others
    metrics = pd.read_csv(copy / "results" / "metrics.csv").set_index(["study", "variant", "metric"])["value"]
    assert metrics["guest", "pooled+mean", "t2i_r10"] > metrics["guest", "random_scores", "t2i_r1"]
    report = (copy / "results" / "reports" / "guest.html").read_text(encoding="utf-8")
    claims = pd.read_csv(copy / "results" / "figures" / "guest" / "claims.csv")
    assert len(claims) == 2
    assert claims["evidence"].str.contains("R@10").all()
    assert "A bag of words finds scenes better than chance." in report
    assert "guest.html" in (copy / "results" / "reports" / "index.html").read_text(encoding="utf-8")
    explained = run(copy, "compactvl.cli", "explain", "results/guest/pooled+mean/seed0/scenes.json")
    assert "noto" in explained
    assert read_json(copy / "runs" / "guest" / "pooled+mean" / "seed0" / "settings.json")["features"] == [
        "pooled",
        "mean",
    ]
    assert "Nothing to be done" in run(copy, "snakemake", "-n", "all", "--configfile", *WITH_GUEST[1:])


def test_taking_it_out_again_leaves_the_others_as_they_are(copy):
    planned = planned_outputs(run(copy, "snakemake", "-n", "all", "--configfile", *SMOKE[1:]))
    assert {path for paths in planned.values() for path in paths} == OF_ALL
