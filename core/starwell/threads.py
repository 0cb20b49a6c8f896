"""The program's threads for work that is shared out: one for each core, the one that asks among them.

More would be in each other's way: whoever holds the interpreter's lock would lose its core to one that waits
for the lock. What stacks, what prepares the next sub and what reads masters therefore ask the same few.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache, partial
from typing import Any, Generic, Protocol, TypeVar

import cv2

from starwell.heap import keep_heap_small

T = TypeVar("T")
R = TypeVar("R")

cv2.setNumThreads(1)  # of its own, whoever asks for them: they would be more than one a core


@cache
def _further() -> ThreadPoolExecutor:
    """The threads beside those that ask: at least one, which reads while another one calculates."""
    keep_heap_small()
    return ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1), thread_name_prefix="further")


class Job(Generic[R]):
    """Work that a further thread begins as soon as one is free, unless somebody does it before."""

    def __init__(self, work: Callable[[], R]) -> None:
        self._work = [work]
        self._future: Future[R] = Future()
        # at the program's end no thread begins anything new; what is asked for is then done here
        with suppress(RuntimeError):
            self._future = _further().submit(self._do)

    @property
    def ended(self) -> bool:
        """Whether it is over, done or failed."""
        return self._future.done()

    def do_here(self) -> bool:
        """Do it in this thread if nobody has begun it; whether that was so."""
        if not self._future.cancel():
            return False
        self._future = Future()
        try:
            self._future.set_result(self._do())
        except BaseException as fault:  # noqa: BLE001 - raised where it is asked for
            self._future.set_exception(fault)
        return True

    def drop(self) -> bool:
        """Nobody wants it begun any more; whether that came in time. If not, it has ended now."""
        if self._future.cancel():
            self._work.clear()
            return True
        wait([self._future])
        return False

    def made(self) -> R:
        """What came of it, done here if nobody has begun it; raises what the work raised."""
        self.do_here()
        return self._future.result()

    def _do(self) -> R:
        """Do it and let go of it: the pool forgets a job later, and frames hang on what it holds."""
        return self._work.pop()()


def one_ahead(work: Callable[[T], R], items: Iterable[T]) -> Generator[R]:
    """What work makes of each item, in their order; the next is worked on while one is used.

    Never on two at once: what they are made of may be made anew for an item.
    """
    coming: Job[R] | None = None
    try:
        for item in items:
            if coming is None:
                coming = Job(partial(work, item))
                continue
            ready = coming.made()
            coming = Job(partial(work, item))
            yield ready
        if coming is not None:
            yield coming.made()
    finally:
        if coming is not None:
            coming.drop()


class Each(Protocol):
    """Runs work on every item, in threads; results in order."""

    def __call__(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Run."""


class Threads:
    """The thread that asks and up to count - 1 of the further ones."""

    def __init__(self, count: int) -> None:
        self._further = max(0, count - 1)

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Run work on every item; results in the order of the items.

        A thread takes its next item itself: one told of every item would have to be woken as often. When one
        fails, none is begun any more and all have ended before its error is raised.
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

        others = [Job(take_turns) for _ in range(min(self._further, len(left) - 1))]
        try:
            take_turns()
        finally:
            begun = [other for other in others if not other.drop()]
        for other in begun:
            other.made()
        return [done[turn] for turn in range(len(done))]
