"""Whose turn it is in the stacking thread: subs by number, commands between two subs, chores when due."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from starwell.errors import PlanError
from starwell.frame import Frame
from starwell.session.journal import AnyStackCommand

Work = Callable[[], object]

_LONGEST_WAIT_S = 3600.0

MOST_HELD_BYTES = 100_000_000
"""Of frames that wait: larger ones are sooner read again than held."""


class Chore:
    """Work that is done at most every so many seconds, and only when something made it worth doing.

    rests_s: how long it is to be left alone at least, asked for when it is done.
    """

    def __init__(
        self, every_s: float, work: Work, *, at_once: bool = False, rests_s: Callable[[], float] = float
    ) -> None:
        self.wanted = False
        self._every_s = every_s
        self._work = work
        self._rests_s = rests_s
        self._next = time.monotonic() + (0.0 if at_once else every_s)

    @property
    def left_s(self) -> float:
        """Seconds until it may be done again."""
        return max(0.0, self._next - time.monotonic())

    def run(self) -> None:
        """Do it; the time to the next one counts from its end."""
        self.wanted = False
        try:
            self._work()
        finally:
            self._next = time.monotonic() + max(self._every_s, self._rests_s())


class Turns:
    """What waits, from any thread; the owner takes one turn after the other.

    Commands that a journal holds come exactly after the sub they came after; those of the user before the
    next sub; chores when they are due; what was left for last when no sub waits any more.
    """

    def __init__(
        self,
        feed: Callable[[int, Frame | None], object],
        again: Callable[[AnyStackCommand], object],
        chores: Sequence[Chore],
        memory_frames: int,
    ) -> None:
        self._feed = feed
        self._again = again
        self._chores = chores
        self._memory_frames = memory_frames
        self._changed = threading.Condition()
        self._numbers: deque[int] = deque()
        self._frames: dict[int, Frame] = {}
        self._replayed: deque[AnyStackCommand] = deque()
        self._requests: deque[Work] = deque()
        self._at_last: deque[Work] = deque()
        self._highest = 0
        self._busy = self._feeding = False
        self._closing = self._hurry = False

    def put(self, number: int, frame: Frame | None) -> None:
        """Queue a sub, its frame too while there is room; PlanError for a number that does not rise."""
        with self._changed:
            if number <= self._highest:
                raise PlanError(f"Sub {number} comes after sub {self._highest}: numbers have to rise.")
            self._highest = number
            self._numbers.append(number)
            if frame is not None and self._has_room(frame):
                self._frames[number] = frame
            self._changed.notify_all()

    def _has_room(self, frame: Frame) -> bool:
        held = sum(other.pixels.nbytes for other in self._frames.values())
        return len(self._frames) < self._memory_frames and held + frame.pixels.nbytes <= MOST_HELD_BYTES

    def ask(self, work: Work) -> None:
        """Have something done before the next sub."""
        with self._changed:
            self._requests.append(work)
            self._changed.notify_all()

    def ask_at_last(self, work: Work) -> None:
        """Have something done once no sub waits."""
        with self._changed:
            self._at_last.append(work)
            self._changed.notify_all()

    def begin_again(self, numbers: Iterable[int], commands: Iterable[AnyStackCommand]) -> None:
        """These subs, before those that wait, and these commands at their places."""
        with self._changed:
            self._numbers = deque(sorted({*numbers, *self._numbers}))
            self._highest = max(self._highest, max(self._numbers, default=0))
            self._replayed = deque(commands)
            self._changed.notify_all()

    def close(self, *, hurry: bool) -> None:
        """Let the owner come to its end: hurry leaves the subs that wait alone."""
        with self._changed:
            self._closing, self._hurry = True, hurry
            self._changed.notify_all()

    @property
    def backlog(self) -> int:
        """Subs that wait or are at hand."""
        with self._changed:
            return len(self._numbers) + self._feeding

    @property
    def held(self) -> int:
        """Frames in memory."""
        return len(self._frames)

    def drained(self, timeout_s: float | None) -> bool:
        """Wait until nothing is left to do but chores; whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout_s)

    def next(self) -> Work | None:
        """Wait for the next turn; None at the end. The turn before counts as done."""
        with self._changed:
            self._busy = self._feeding = False
            self._changed.notify_all()
            while (work := self._due()) is None:
                if self._closing:
                    return None
                waiting = (chore.left_s for chore in self._chores if chore.wanted)
                self._changed.wait(min(waiting, default=_LONGEST_WAIT_S))
            self._busy = True
            return work

    def _idle(self) -> bool:
        return not (self._busy or self._numbers or self._requests or self._replayed or self._at_last)

    def _due(self) -> Work | None:
        if self._replayed and not (self._numbers and self._numbers[0] <= self._replayed[0].after):
            command = self._replayed.popleft()
            return lambda: self._again(command)
        if self._requests:
            return self._requests.popleft()
        if self._hurry:
            return None
        ripe = next((chore for chore in self._chores if chore.wanted and chore.left_s == 0), None)
        if ripe is not None:
            return ripe.run
        if self._numbers:
            number = self._numbers.popleft()
            frame = self._frames.pop(number, None)
            self._feeding = True
            return lambda: self._feed(number, frame)
        return self._at_last.popleft() if self._at_last else None
