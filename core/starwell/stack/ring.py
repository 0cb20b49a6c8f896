"""Which subs make the warm-up reference: at most two per dither position (methods, decision 4).

With a dither every ten subs, the first seven all see one position, and a hot pixel would become the
reference. A stack may begin with whatever there is; once subs from four positions are at hand it is worth
beginning again with those.
"""

from __future__ import annotations

import math

RING = 7
"""Subs in a full ring."""

PER_POSITION = 2
POSITIONS = 4
"""A ring from this many positions cannot be outvoted by one hot pixel."""

APART_PX = 2.0
"""Offsets farther apart than this are two positions: a kernel's core."""


class Ring:
    """Collects subs as they come; offsets are where the reference's centre falls on the sub, px."""

    def __init__(self) -> None:
        self._positions: list[tuple[float, float]] = []
        self._chosen: list[tuple[int, int]] = []

    def offer(self, number: int, offset_xy: tuple[float, float]) -> bool:
        """Take the sub into the ring if there is room for it and for its position; tells whether."""
        position = self._position(offset_xy)
        here = sum(p == position for _, p in self._chosen)
        if len(self._chosen) >= RING or here >= PER_POSITION:
            return False
        if position == len(self._positions):
            self._positions.append(offset_xy)
        self._chosen.append((number, position))
        return True

    def withdraw(self, number: int) -> None:
        """Forget a sub that was rejected."""
        self._chosen = [(n, p) for n, p in self._chosen if n != number]

    @property
    def members(self) -> tuple[int, ...]:
        """Numbers of the subs chosen, in the order they came."""
        return tuple(number for number, _ in self._chosen)

    @property
    def positions(self) -> int:
        """How many dither positions the members come from."""
        return len({position for _, position in self._chosen})

    @property
    def complete(self) -> bool:
        """Whether the ring is full and from enough positions: time to begin the stack with it."""
        return len(self._chosen) >= RING and self.positions >= POSITIONS

    def _position(self, offset_xy: tuple[float, float]) -> int:
        """Index of the known position within APART_PX, or the next free one."""
        for index, known in enumerate(self._positions):
            if math.dist(known, offset_xy) <= APART_PX:
                return index
        return len(self._positions)
