"""The lab size in a rehearsal: every variant and every benchmark of it, in few steps on the smoke size's data."""

from typing import Any

import pandas as pd
import pytest
import yaml
from e2e_tools import REPOSITORY, snakemake, working_copy

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
LAB = REPOSITORY / "config" / "lab.yaml"
ANSWERS = {"scene_qa": 17, "role_qa": 13, "emoji_kinds": 13, "words": 6}
"""Answers that the smoke size's data have."""


def shortened(settings: Any) -> dict[str, Any]:
    """Return what is laid over a variant's resolved settings: one seed, two steps of small batches, the small data's answers."""
    short: dict[str, Any] = {}
    if getattr(settings, "seeds", None):
        short["seeds"] = [0]
    if (optimiser := getattr(settings, "optimiser", None)) is not None:
        short["optimiser"] = {"batch": 8, "warmup": 1}
        if hasattr(optimiser, "steps"):
            short["optimiser"]["steps"] = 2
    if getattr(settings, "curriculum", None) is not None:
        short["curriculum"] = {"epochs": 2, "text_batches": 1, "caption_batches": 1}
    if getattr(settings, "monitor", None) is not None and settings.monitor.pairs:
        short["monitor"] = {"items": 8}
    if getattr(settings, "dataset", None) in ANSWERS:
        short["answers"] = ANSWERS[settings.dataset]
    return short


def rehearsal() -> dict[str, Any]:
    """Return the overlay that makes lab short, and leaves out none of its variants and benchmarks."""
    plan = Plan(load_config([LAB], base=REPOSITORY / "config.yaml"))
    smoke = yaml.safe_load((REPOSITORY / "config" / "smoke.yaml").read_text(encoding="utf-8"))
    studies: dict[str, Any] = {
        study: {"variants": {name: shortened(settings) for name, settings in resolved.variants.items()}}
        for study, resolved in plan.studies.items()
        if study != "encoder_roles"
    }
    subset = {"sets": {name: {"answers": ANSWERS[name]} for name in ("role_qa", "emoji_kinds", "words")}}
    studies["encoder_roles"] = {"subset": subset | {"optimiser": {"steps": 2}, "rank_images": 10, "seeds": [0]}}
    return {"seeds": [0], "datasets": smoke["datasets"], "benchmarks": smoke["benchmarks"], "studies": studies}


def test_every_variant_of_the_lab_size_runs_and_every_claim_is_judged(tmp_path):
    copy = working_copy(tmp_path / "copy")
    (copy / "rehearsal.yaml").write_text(yaml.safe_dump(rehearsal()))
    snakemake(copy, "all", "--configfile", "config/lab.yaml", "rehearsal.yaml")
    plan = Plan(load_config([LAB, copy / "rehearsal.yaml"], base=copy / "config.yaml"))
    trained = {(job.study, job.variant) for job in plan.trainings}
    assert trained == {
        (job.study, job.variant) for job in Plan(load_config([LAB], base=copy / "config.yaml")).trainings
    }
    for study in plan.studies:
        claims = pd.read_csv(copy / "results" / "figures" / study / "claims.csv")
        assert not claims["verdict"].str.contains("not run").any(), claims[["claim", "verdict"]]
