"""Work on subs ahead of their turn, in further threads, in frames' room that goes round."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import TypeVar

import numpy as np

from starwell.frame import Float32
from starwell.threads import Job

Item = TypeVar("Item")
Made = TypeVar("Made")


def ahead(
    work: Callable[[Item, Float32], Made], items: Iterable[Item], shape: tuple[int, ...], *, count: int = 1
) -> Generator[Made]:
    """What work makes of each item, in their order; count is how many items it is ahead.

    Work gets room for a frame of this shape, float32: one of count + 1 arrays, its own until the item after
    its own is asked for. What it raises is raised at the item's turn, and ends all. Who has to wait for an
    item does what nobody has begun.
    """
    rooms: list[Float32 | None] = [None] * (count + 1)

    def made(item: Item, slot: int) -> Made:
        room = rooms[slot]
        if room is None:
            room = rooms[slot] = np.empty(shape, np.float32)
        return work(item, room)

    waiting: deque[Job[Made]] = deque()
    try:
        for number, item in enumerate(items):
            waiting.append(Job(partial(made, item, number % len(rooms))))
            if len(waiting) > count:
                yield _first(waiting)
        while waiting:
            yield _first(waiting)
    finally:
        for job in waiting:
            job.drop()


def _first(waiting: deque[Job[Made]]) -> Made:
    """What the first of them makes."""
    while not waiting[0].ended and any(job.do_here() for job in waiting):
        pass
    return waiting.popleft().made()
