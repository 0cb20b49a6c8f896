"""Work on subs ahead of their turn, in threads or processes of their own, in frames' room that goes round."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from starwell.forked import Forked, Gone, may_fork, shared
from starwell.frame import Float32
from starwell.stack.heap import give_back, keep_heap_small

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    work: Callable[[Item, Float32], Made],
    items: Iterable[Item],
    shape: tuple[int, ...],
    *,
    count: int = 1,
    processes: bool = False,
) -> Generator[Made]:
    """What work makes of each item, in their order; count is how many items it is ahead.

    Work gets room for a frame of this shape, float32: one of count + 1 arrays, its own until the item after
    its own is asked for. What it raises is raised at the item's turn, and ends all. processes: it may be
    called in others than this, where nothing it changes is seen here but the room.
    """
    keep_heap_small()
    if not (processes and may_fork()):
        return in_threads(work, items, shape, count)
    give_back()  # or every process would keep a copy of what is free
    rooms = [shared(shape) for _ in range(count + 1)]

    def made(place: tuple[Item, int]) -> Made:
        item, room = place
        return work(item, rooms[room])

    return _in_processes([Forked(made) for _ in range(count)], made, items)


def in_threads(
    work: Callable[[Item, Float32], Made], items: Iterable[Item], shape: tuple[int, ...], count: int = 1
) -> Generator[Made]:
    """The same in threads of this process."""
    rooms: list[Float32 | None] = [None] * (count + 1)

    def made(item: Item, slot: int) -> Made:
        room = rooms[slot]
        if room is None:
            room = rooms[slot] = np.empty(shape, np.float32)
        return work(item, room)

    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="ahead")
    try:
        for number, item in enumerate(items):
            waiting.append(pool.submit(made, item, number % len(rooms)))
            if len(waiting) > count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _in_processes(
    forked: Sequence[Forked[tuple[Item, int], Made]],
    made: Callable[[tuple[Item, int]], Made],
    items: Iterable[Item],
) -> Generator[Made]:
    """The same in these processes, in turn; what one leaves undone that is gone is done here."""
    waiting: deque[tuple[Forked[tuple[Item, int], Made], tuple[Item, int]]] = deque()

    def next_made() -> Made:
        process, place = waiting.popleft()
        try:
            return process.answer()
        except Gone:
            return made(place)

    try:
        for number, item in enumerate(items):
            process, place = forked[number % len(forked)], (item, number % (len(forked) + 1))
            process.ask(place)
            waiting.append((process, place))
            if len(waiting) > len(forked):
                yield next_made()
        while waiting:
            yield next_made()
    finally:
        for process in forked:
            process.close()
