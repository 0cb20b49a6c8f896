"""Work on subs ahead of their turn, in threads of their own, in frames' room that goes round."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from starwell.frame import Float32
from starwell.stack.heap import keep_heap_small

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    work: Callable[[Item, Float32], Made], items: Iterable[Item], shape: tuple[int, ...], *, count: int = 1
) -> Generator[Made]:
    """What work makes of each item, in their order; count is how many items it is ahead.

    Work gets room for a frame of this shape, float32: one of count + 1 arrays, its own until the item after
    its own is asked for. What it raises is raised at the item's turn, and ends all.
    """
    rooms: list[Float32 | None] = [None] * (count + 1)

    def made(item: Item, slot: int) -> Made:
        room = rooms[slot]
        if room is None:
            room = rooms[slot] = np.empty(shape, np.float32)
        return work(item, room)

    keep_heap_small()
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
