"""The smoke size skips no path of the demo but those that a study's own tests take, and stays small."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from compactvl.config.overlay import load_config
from compactvl.config.references import Ref
from compactvl.dag.plan import Plan

REPOSITORY = Path(__file__).parents[2]
MOST_JOBS = 60
"""Trainings and evaluations of a study: two at a time, about four seconds of start-up each."""
MOST_ITEMS = 1000
"""Pairs, texts or captions that a training sees."""
ELSEWHERE = {
    ("blind", True), ("curriculum.first", "caption"), ("curriculum.kind", "caption_then_text"),
    ("curriculum.kind", "captions_only"), ("curriculum.kind", "text_then_caption"), ("gate", "hard_feature"),
    ("gate", "none"), ("gate", "soft_token"), ("image.channel_attention", True), ("image.layers", False),
    ("modulation.kind", "dyintra"), ("modulation.place", "cross_attention"),
    ("modulation.place", "text"), ("order", 2), ("seeds", 2), ("grounding", "start", False),
}  # fmt: skip
"""What the smoke size leaves out, since its study's own tests compute it: a setting, or one of a kind."""


def plan(*overlays: str) -> Plan:
    return Plan(load_config([REPOSITORY / name for name in overlays], REPOSITORY / "config.yaml"))


def value(settings: Any, key: str) -> Any:
    for part in key.split("."):
        settings = getattr(settings, part, None)
    return settings


def choices(settings: BaseModel, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each setting as far as it decides what code runs: the word chosen, a list's length up to 2, else if it is set."""
    for name, info in type(settings).model_fields.items():
        found, where = getattr(settings, name), f"{place}{name}"
        literal = any(get_origin(one) is Literal for one in (info.annotation, *get_args(info.annotation)))
        words = next((one.besides for one in info.metadata if isinstance(one, Ref)), ())
        if literal or found in words:
            yield where, found
        else:
            yield where, min(len(found), 2) if isinstance(found, tuple | dict) else bool(found)
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, tuple) else [found]
        for one in inner:
            if isinstance(one, BaseModel):
                yield from choices(one, f"{where}.")


def paths(plan: Plan) -> set[tuple[Any, ...]]:
    """Every path through the code that a plan's variants and evaluations take: kinds, setting, what it is."""
    found = set()
    for resolved in plan.studies.values():
        for settings in resolved.variants.values():
            found |= {(settings.kind, *choice) for choice in choices(settings)}
            for key in settings.benchmarks:
                benchmark = plan.root.benchmarks[key]
                found |= {(settings.kind, benchmark.kind, *choice) for choice in choices(benchmark)}
    return found


def test_every_path_of_the_demo_is_taken():
    skipped = paths(plan()) - paths(plan("config/smoke.yaml"))
    assert {path for path in skipped if not {path, path[-2:]} & ELSEWHERE} == set()


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
    assert {study: number for study, number in jobs.items() if number > MOST_JOBS} == {}
    for job in smoke.trainings:
        assert items_seen(smoke.variant(job.study, job.variant)) <= MOST_ITEMS, job
