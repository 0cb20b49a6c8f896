"""Processes that judge and settle bands beside the stack's own, in the same sums.

Every band is taken by one of them, whoever is free first; sums are whole numbers and bands do not meet, so
that the stack does not depend on who took which.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from starwell.calibration.calibrate import Calibrated
from starwell.errors import TooLittleMemory
from starwell.forked import Bag, Forked, Gone, shared
from starwell.frame import Float32
from starwell.stack.contribution import Contribution
from starwell.stack.fixed import Fixed
from starwell.stack.judge import Found, Judge, binned_shape
from starwell.stack.ledger import Entry
from starwell.stack.rejection import Scene
from starwell.stack.sums import Left

if TYPE_CHECKING:
    from starwell.stack.running import RunningStack

Task = tuple[int, int, int]
"""Channel, first and end row."""

MOST = 3
"""Partners of a stack: what one program does alone, between two subs, keeps no more of them busy."""

WORTH_IT_PX = 2_000_000
"""Smaller subs are judged sooner than a process is told of them."""


class _View(NamedTuple):
    """What subs are judged by."""

    scenes: list[Scene]
    fixed: Fixed | None


class _Order(NamedTuple):
    """A sub to judge; view where it is another than before."""

    calibrated: Calibrated
    entry: Entry
    scatter: tuple[float, ...]
    view: _View | None


class _Share(NamedTuple):
    """What a process did of it: what is left by task, and outliers."""

    lefts: dict[int, Left]
    found: list[Found]


class Partners:
    """So many forked copies of a stack whose sums are shared memory.

    means: per channel, shared room for a fixed mean.
    """

    def __init__(self, stack: RunningStack, count: int) -> None:
        shape = stack.sums.sum.shape
        self.means: list[Float32] = [shared(shape[1:]) for _ in stack.channels]
        self._binned = shared(binned_shape(len(stack.channels), stack.size))
        self._stack = stack
        self._bands = Bag()
        self._told: _View | None = None
        self._forked: list[Forked[_Order, _Share]] = [
            Forked(partial(_share, stack, self._bands, self._binned)) for _ in range(count)
        ]

    @property
    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self._forked]

    def judge(self, sub: Contribution) -> Judge:
        """A judge whose binned deviation all of them see."""
        self._binned[...] = 0
        return self._stack.judge(sub, binned=self._binned)

    def settled(self, sub: Contribution, judge: Judge, settle: Callable[..., Left]) -> list[Left]:
        """Settle all bands of a sub, and have the judge know of all; TooLittleMemory when one is lost."""
        view = _View(self._stack.scenes, self._stack.fixed)
        told, self._told = self._told, view
        known = told is not None and told.scenes is view.scenes and told.fixed is view.fixed
        order = _Order(sub.calibrated, sub.entry, judge.scatter, None if known else _sent(view))
        tasks = tasks_of(sub)
        self._bands.fill(len(tasks))
        for process in self._forked:
            process.ask(order)
        lefts = {i: settle(*tasks[i]) for i in self._bands}
        for process in self._forked:
            try:
                share = process.answer()
            except Gone as gone:
                raise TooLittleMemory(
                    "A process that stacked half of a sub was ended, most likely because memory ran out. The "
                    "subs are untouched: stack them again with --threads 1, which takes less memory."
                ) from gone
            lefts |= share.lefts
            judge.join(share.found)
        return [lefts[i] for i in range(len(tasks))]

    def close(self) -> None:
        """End them."""
        for process in self._forked:
            process.close()
        self._bands.close()


def tasks_of(sub: Contribution) -> list[Task]:
    """All bands of a sub, channel by channel."""
    return [(channel, *band) for channel in range(sub.planes.channels) for band in sub.bands()]


def _sent(view: _View) -> _View:
    """The same without what only the owner of a stack asks for."""
    if view.fixed is None:
        return view
    fixed = Fixed(view.fixed.mean, view.fixed.scenes, np.empty((0, 0), np.uint8))
    return _View(view.scenes, fixed)


def _share(stack: RunningStack, bands: Bag, binned: Float32, order: _Order) -> _Share:
    """What one of the processes does of a sub."""
    if order.view is not None:
        stack.scenes, stack.fixed = order.view
    sub = stack.contribution(order.calibrated, order.entry)
    judge = stack.judge(sub, order.scatter, binned)
    tasks = tasks_of(sub)
    lefts = {i: stack.judge_band(sub, judge, *tasks[i]) for i in bands}
    return _Share(lefts, judge.found)
