"""Work in threads that take the next item themselves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Threads:
    """So many threads; a future for every item would wake up whoever waits as often."""

    def __init__(self, count: int, name: str) -> None:
        self._count = max(1, count)
        self._pool = ThreadPoolExecutor(self._count, thread_name_prefix=name)

    def close(self) -> None:
        """End them."""
        self._pool.shutdown()

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Run work on every item; results in the order of the items.

        When one fails, none is begun any more and all have ended before its error is raised.
        """
        left, done = deque(enumerate(items)), dict[int, R]()

        def take_turns() -> None:
            while left:
                try:
                    turn, item = left.popleft()
                except IndexError:  # another thread was faster
                    return
                try:
                    done[turn] = work(item)
                except BaseException:
                    left.clear()
                    raise

        takers = [self._pool.submit(take_turns) for _ in range(min(self._count, len(left)))]
        try:
            for taker in takers:
                taker.result()
        finally:
            left.clear()
            wait(takers)
        return [done[turn] for turn in range(len(done))]
