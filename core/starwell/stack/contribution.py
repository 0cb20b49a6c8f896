"""One sub on its way into the sums, or out of them: the same arithmetic both ways."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32, Mask, Planes
from starwell.stack.kernels import Indices, Kernel, Scratch, among, from_steps, to_steps
from starwell.stack.ledger import Entry
from starwell.stack.reach import Reach
from starwell.stack.warp import Warp

WEIGHT_ONE = 1 << 16
"""Weights are whole multiples of 2^-16, sums of 2^-16 ADU·weight."""

DEFECT_SHARE = 1000
"""A repaired pixel keeps this fraction of a weight: it counts only where no sub saw anything better."""


class Band(NamedTuple):
    """Rows of a sub on the stack's grid; faint: sorted band-flat pixels that lean on repaired ones.

    What lies within reach and is not faint counts.
    """

    y0: int
    y: Float32
    reach: Reach
    faint: Indices

    def counts(self, flat: Indices) -> Mask:
        """Whether these pixels, band-flat, count."""
        counted: Mask = self.reach.covers(flat, self.y.shape[1]) & ~among(flat, self.faint)
        return counted

    def erase(self, values: NDArray[Any], value: float) -> None:
        """Set what does not count to this value in another contiguous band of this shape."""
        self.reach.erase(values, value)
        values.reshape(-1)[self.faint] = value


class Contribution:
    """A calibrated sub, its ledger entry and its warp.

    weight: per channel, in units of 2^-16. faint: the same for repaired pixels. defects: per channel, the
    sorted flat output pixels that lean on repaired sensor pixels. rows: the height of its bands.
    """

    def __init__(
        self,
        calibrated: Calibrated,
        entry: Entry,
        planes: Planes,
        output_size: tuple[int, int],
        kernel: Kernel,
        tallest: int,
    ) -> None:
        if len(entry.weight) != planes.channels or min(entry.weight) <= 0:
            raise PlanError(f"Sub {entry.number} needs one positive weight per channel, not {entry.weight}.")
        self.calibrated = calibrated
        self.entry = entry
        self.planes = planes
        size = calibrated.pixels.shape[-2:]
        self.warp = Warp(entry.transform, planes, (size[0], size[1]), output_size, kernel)
        self.rows = max(16, self.warp.tallest(tallest) // 16 * 16)
        self.weight = tuple(max(1, round(w * WEIGHT_ONE)) for w in entry.weight)
        self.faint = tuple(max(1, w // DEFECT_SHARE) for w in self.weight)
        xy = np.asarray(calibrated.defects_xy, np.int64).reshape(-1, 2)
        self.defects = tuple(self.warp.near(c, xy) for c in range(planes.channels))

    @property
    def odd(self) -> bool:
        """Which half-stack the sub belongs to."""
        return self.entry.number % 2 == 1

    def bands(self) -> list[tuple[int, int]]:
        """First and end row of every band."""
        height = self.warp.output_size[0]
        return [(y, min(y + self.rows, height)) for y in range(0, height, self.rows)]

    def band(self, channel: int, y0: int, y1: int, scratch: Scratch) -> Band:
        """Normalised pixels y = (c - b)/t of these rows, in scratch until the next call."""
        if not self.entry.grid:
            return self._band(channel, y0, y1, scratch)
        band = self.steps(channel, y0, y1, scratch)
        from_steps(band.y, *self.entry.grid[channel], band.y)
        return band

    def steps(self, channel: int, y0: int, y1: int, scratch: Scratch) -> Band:
        """The same with y in whole steps of the entry's grid."""
        band = self._band(channel, y0, y1, scratch)
        to_steps(band.y, *self.entry.grid[channel])
        return band

    def _band(self, channel: int, y0: int, y1: int, scratch: Scratch) -> Band:
        y = self.warp.band(self.calibrated.pixels, channel, y0, y1, scratch)
        self._normalise(y, channel, y0)
        reach = Reach(*self.warp.valid(channel, y0, y1))
        faint = within(self.defects[channel], y0 * y.shape[1], y1 * y.shape[1])
        return Band(y0, y, reach, faint[reach.covers(faint, y.shape[1])])

    def _normalise(self, y: Float32, channel: int, y0: int) -> None:
        """y = c/t - b/t, b carried from the sub's px to the output's."""
        t = self.entry.normalisation.transparency
        b0, bx, by = self.entry.normalisation.background[channel]
        to_sub = self.warp.to_sub
        along_x, along_y = bx * to_sub.a + by * to_sub.c, bx * to_sub.b + by * to_sub.d
        start = (b0 + bx * to_sub.tx + by * to_sub.ty) / t
        if t != 1 or start != 0:
            cv2.addWeighted(y, 1 / t, y, 0, -start, dst=y)
        if bx == 0 and by == 0:
            return
        row = (along_x / t * np.arange(y.shape[1])).astype(np.float32)
        column = (along_y / t * np.arange(y0, y0 + len(y))).astype(np.float32)
        np.subtract(y, row, out=y)
        np.subtract(y, column[:, None], out=y)


def within(sorted_flat: Indices, start: int, end: int) -> Indices:
    """The indices in start … end, counted from start."""
    a, b = np.searchsorted(sorted_flat, (start, end))
    return sorted_flat[a:b] - start
