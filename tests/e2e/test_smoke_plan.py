"""The smoke size skips no path of the demo, and stays small."""

from collections import Counter
from pathlib import Path
from typing import Any

from compactvl.config.overlay import load_config
from compactvl.dag.plan import Plan

REPOSITORY = Path(__file__).parents[2]
MOST_JOBS = {"edje": 60, "gating": 30}
"""Trainings and evaluations of a study: two at a time, about four seconds of start-up each."""
MOST_ITEMS = 1000
"""Pairs, texts or captions that a training sees."""
CHOICES = (
    "kind", "adapter.kind", "adapter.rescale", "pooling", "loss", "control", "precision", "online", "optimiser.schedule",
    "negatives.mode", "objectives.itm_form", "image.input",
)  # fmt: skip
"""Settings whose value decides what code runs."""
SWITCHES = (
    "teacher", "start.adapter", "start.joint", "objectives.mlm", "objectives.recovery", "objectives.distillation",
    "optimiser.clip", "optimiser.adapter_lr", "negatives.start_accuracy", "negatives.random_images", "validations",
    "joint.dropout", "start", "modulation", "auxiliary.clip", "auxiliary.lcg", "monitor.pairs", "monitor.vqa",
)  # fmt: skip
"""Settings that switch code on or off."""
MINERS = ("first_stage", "self")
"""Random negatives are also what `start_accuracy` starts with; other names are variants."""


def plan(*overlays: str) -> Plan:
    return Plan(load_config([REPOSITORY / name for name in overlays], REPOSITORY / "config.yaml"))


def value(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = getattr(settings, part, None)
    return settings


def paths(plan: Plan) -> set[tuple[str, Any]]:
    """Every path through the code that a plan's variants and evaluations take."""
    found = set()
    for resolved in plan.studies.values():
        for settings in resolved.variants.values():
            found |= {(key, value(settings, key)) for key in CHOICES}
            found |= {(key, bool(value(settings, key))) for key in SWITCHES}
            miner = value(settings, "negatives.miner")
            found.add(("miner", miner if miner in MINERS or miner not in resolved.variants else "a variant"))
            found.add(("grouped", (value(settings, "negatives.group") or 1) > 1))
            for key in settings.benchmarks:
                benchmark = plan.root.benchmarks[key]
                several = len(getattr(benchmark, "pools", ())) > 1
                found.add((settings.kind, benchmark.kind, getattr(benchmark, "storage", None), several))
    return found


def test_every_path_of_the_demo_is_taken():
    skipped = paths(plan()) - paths(plan("config/smoke.yaml")) - {("miner", "random")}
    assert not skipped


def items_seen(settings: Any) -> int:
    """Pairs, texts or captions a variant is trained on; 0 for one without an optimiser."""
    if (optimiser := value(settings, "optimiser")) is None:
        return 0
    if (curriculum := value(settings, "curriculum")) is None:
        return optimiser.steps * optimiser.batch
    batches = [curriculum.text_batches] + [curriculum.caption_batches] * (curriculum.kind != "text_only")
    assert None not in batches, "an epoch of everything is no smoke test"
    return curriculum.epochs * sum(batches) * optimiser.batch


def test_the_smoke_size_is_small():
    smoke = plan("config/smoke.yaml")
    jobs = Counter(job.study for job in (*smoke.trainings, *smoke.evaluations))
    assert jobs.keys() == MOST_JOBS.keys()
    assert {study: number for study, number in jobs.items() if number > MOST_JOBS[study]} == {}
    for job in smoke.trainings:
        assert items_seen(smoke.variant(job.study, job.variant)) <= MOST_ITEMS, job
