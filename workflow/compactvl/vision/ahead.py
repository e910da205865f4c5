"""Work that is done ahead of its use, in threads."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Thing, Made = TypeVar("Thing"), TypeVar("Made")


def made_ahead(
    groups: Iterable[Iterable[Thing]], make: Callable[[Thing], Made], threads: int, ahead: int = 2
) -> Generator[list[Made], None, None]:
    """Yield, group by group and in order, what ``make`` gives for each thing.

    While a group is used, the next ``ahead`` groups are being made, and no more: memory is bounded. What ``make`` raises is
    raised at its group. When the iterator is closed or left by an exception (Ctrl-C), what has not begun is dropped and
    what has is waited for.

    Args:
        groups: groups of things; read in the caller's thread.
        make: called from any of the threads.
        threads: how many.
        ahead: groups beyond the one in use.
    """
    waiting: deque[list[Future[Made]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        try:
            for group in groups:
                waiting.append([pool.submit(make, thing) for thing in group])
                if len(waiting) > ahead:
                    yield [future.result() for future in waiting.popleft()]
            while waiting:
                yield [future.result() for future in waiting.popleft()]
        finally:
            pool.shutdown(cancel_futures=True)
