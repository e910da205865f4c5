import itertools

import pytest

from compactvl.training.schedule import cosine, epoch_decay, warm_up


def test_warm_up_is_linear_from_its_start():
    rates = [warm_up(step, 100, 3e-4) for step in range(101)]
    assert rates[0] == pytest.approx(1e-6 + (3e-4 - 1e-6) / 101)
    assert rates[100] == 3e-4
    steps = [b - a for a, b in itertools.pairwise(rates)]
    assert max(steps) == pytest.approx(min(steps))


def test_epoch_decay_is_a_power_and_has_a_floor():
    assert epoch_decay(1000, peak=3e-4, warmup=100, epoch=200) == pytest.approx(3e-4 * 0.9**5)
    assert epoch_decay(10**6, peak=3e-4, warmup=100, epoch=200) == 1e-6


def test_cosine_ends_at_a_tenth():
    assert cosine(20, peak=1.0, warmup=20, total=100) == 1.0
    assert cosine(60, peak=1.0, warmup=20, total=100) == pytest.approx(0.55)
    assert cosine(100, peak=1.0, warmup=20, total=100) == pytest.approx(0.1)
