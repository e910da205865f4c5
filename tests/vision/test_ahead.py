"""Making things ahead of their use: order, bounds, errors, an end at any time."""

import threading
import time
from collections.abc import Iterator

import pytest

from compactvl.vision.ahead import made_ahead


def groups(count: int, size: int, taken: list[int]) -> Iterator[range]:
    for number in range(count):
        taken.append(number)
        yield range(number * size, (number + 1) * size)


def slow_square(number: int) -> int:
    time.sleep(0.002 * (number % 3))
    return number * number


@pytest.mark.parametrize("threads", [1, 5])
def test_results_are_in_order_and_at_most_so_many_groups_are_begun(threads: int) -> None:
    taken: list[int] = []
    given = 0
    for made in made_ahead(groups(9, 4, taken), slow_square, threads, ahead=2):
        assert made == [n * n for n in range(4 * given, 4 * given + 4)]
        given += 1
        assert len(taken) <= given + 2
    assert given == 9


def test_an_error_is_raised_at_its_group_and_ends_the_rest() -> None:
    begun: list[int] = []

    def fails_at_nine(number: int) -> int:
        begun.append(number)
        if number == 9:
            raise KeyError(number)
        return number

    given: list[list[int]] = []
    with pytest.raises(KeyError, match="9"):
        given.extend(made_ahead(groups(1000, 4, []), fails_at_nine, 2))
    assert given == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert max(begun) < 20


def test_leaving_early_ends_the_threads() -> None:
    begun, may_go_on = [], threading.Event()

    def make(number: int) -> int:
        begun.append(number)
        if number >= 4:
            may_go_on.wait(10)
        return number

    made = made_ahead(groups(1000, 4, []), make, 2)
    assert next(made) == [0, 1, 2, 3]
    threading.Timer(0.05, may_go_on.set).start()
    made.close()
    assert len(begun) <= 7  # those the two threads were at, and what they took while closing
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
