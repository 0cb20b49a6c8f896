"""What a second pass judges every sub by: the same for all, so that neither order nor grouping matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, flat_true
from starwell.stack.kernels import Indices, Scratch
from starwell.stack.scene import Scene
from starwell.stack.sums import Accumulators
from starwell.threads import Each

SEVERAL_SUBS = 3
MOSTLY_MASKED = 0.3
"""A line of which this part was masked in several subs is an edge or a bad column, not a satellite."""

_UNKNOWN = 255
_WHOLE = 254


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """The mean of the first pass and what it shows.

    mean: per channel, ADU, H×W, not a number where there is none. often: H×W, in how many of the other subs a
    pixel of the first channel was masked, in 254ths; 255 where fewer than three saw it.
    """

    mean: list[Float32]
    scenes: list[Scene]
    often: NDArray[np.uint8]

    def passes(self, flat: Indices) -> bool:
        """Whether a line on these flat output pixels may be something that crosses the field."""
        often = self.often.reshape(-1)[flat]
        known = often[often != _UNKNOWN]
        return not known.size or float(known.mean()) < MOSTLY_MASKED * _WHOLE


def fix(
    sums: Accumulators, scenes: list[Scene], rows: int, each: Each, scratch: Scratch, *, apart: bool
) -> Fixed:
    """What these sums show, so many rows at a time; if not apart, the mean lies in the weights' room."""
    room, often = sums.room_of_weights, np.empty(sums.size, np.uint8)
    fixed = Fixed(list(np.empty_like(room) if apart else room), scenes, often)

    def fill(y0: int) -> None:
        here = slice(y0, min(y0 + rows, sums.size[0]))
        often_masked(sums.masked[0, here], sums.count[0, here], often[here])
        for channel, mean in enumerate(fixed.mean):
            mean[here] = sums.mean_band(channel, here.start, here.stop, scratch)

    each(fill, range(0, sums.size[0], rows))
    return fixed


def seldom_masked(masked: NDArray[np.uint8], count: NDArray[np.uint16], flat: Indices) -> bool:
    """The same in the midst of a running stack, by what it has masked and counted so far."""
    there = masked.reshape(-1)[flat].astype(np.int64)
    seen = there + count.reshape(-1)[flat]
    before = seen >= SEVERAL_SUBS
    return not before.any() or float((there[before] / seen[before]).mean()) < MOSTLY_MASKED


def often_masked(masked: NDArray[np.uint8], count: NDArray[np.uint16], often: NDArray[np.uint8]) -> None:
    """Fill in rows of often: one sub less than were masked and seen, for none is evidence against itself."""
    seen = masked + count
    np.multiply(seen <= SEVERAL_SUBS, np.uint8(_UNKNOWN), out=often)
    flat = often.reshape(-1)
    twice = flat_true(masked > 1)  # of all the rest no other sub was masked
    twice = twice[flat[twice] != _UNKNOWN]
    before, others = (of.reshape(-1)[twice] - np.float32(1) for of in (masked, seen))
    flat[twice] = np.rint(before * np.float32(_WHOLE) / others)
