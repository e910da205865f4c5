"""Orders of batches, and the temperature's fall."""

import pytest

from compactvl.studies.gating.curriculum import build_schedule, gumbel_temperature
from compactvl.studies.gating.settings import Curriculum


def letters(kind: str, text: int = 2, caption: int = 3, **more) -> str:
    schedule = build_schedule(Curriculum(kind=kind, epochs=2, **more), text, caption, seed=0)
    return "".join({"text": "t", "caption": "c", "both": "b"}[step] for step in schedule.steps)


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("alternating", "ttcccttccc"),
        ("text_then_caption", "ttttcccccc"),
        ("caption_then_text", "cccccctttt"),
        ("mixed", "bbbbbb"),
        ("captions_only", "cccccccccc"),
        ("text_only", "tttt"),
    ],
)
def test_orders(kind, order):
    assert letters(kind) == order


def test_captions_can_come_first():
    assert letters("alternating", first="caption") == "cccttccctt"


def test_shuffled_epochs_hold_the_same_batches_in_another_order():
    order = letters("mixed_shuffled", 20, 30)
    halves = order[:50], order[50:]
    assert all(half.count("t") == 20 and half.count("c") == 30 for half in halves)
    assert halves[0] != halves[1]
    assert order != letters("alternating", 20, 30)


@pytest.mark.parametrize("kind", Curriculum.model_fields["kind"].annotation.__args__)
def test_batches_are_numbered_from_0_without_gaps(kind):
    schedule = build_schedule(Curriculum(kind=kind, epochs=3), 4, 5, seed=1)
    for numbers in (schedule.text, schedule.caption):
        taken = [n for n in numbers if n >= 0]
        assert taken == list(range(len(taken)))
    assert schedule.boundaries[-1] == len(schedule.steps)
    assert len(schedule.boundaries) == (6 if kind in ("alternating", "text_then_caption", "caption_then_text") else 3)


def test_temperature_falls_linearly_over_the_first_four_fifths():
    values = [gumbel_temperature(step, 100, 1.0, 0.1, 0.8) for step in (0, 40, 80, 99)]
    assert values == pytest.approx([1.0, 0.55, 0.1, 0.1])
