"""One sub on its way into the sums, or out of them: the same arithmetic both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32, Mask, Planes
from starwell.stack.kernels import Indices, Kernel, Scratch, among, whole_of_steps
from starwell.stack.ledger import Entry
from starwell.stack.reach import Cover, covers, within
from starwell.stack.strips import Columns, Scale
from starwell.stack.warp import Warp

WEIGHT_ONE = 1 << 16
"""Weights are whole multiples of 2^-16, sums of 2^-16 ADU·weight."""

DEFECT_SHARE = 1000
"""A repaired pixel keeps this fraction of a weight: it counts only where no sub saw anything better."""


_BAND_PX = 620_000
"""Long enough calls, and few enough pixels for the caches."""


def band_rows(width: int) -> int:
    """How many rows of so many pixels make a band: 128 at most, and whole cells of 16."""
    return min(max(_BAND_PX // width // 16, 1), 8) * 16


class Band(NamedTuple):
    """Rows of a sub on the stack's grid: q = y·weight in whole numbers, y = (c - b)/t in ADU."""

    y0: int
    q: Float32
    weight: int
    cover: Cover

    def counts(self, flat: Indices) -> Mask:
        """Whether these pixels, band-flat, count."""
        counted: Mask = self.cover.reach.covers(flat, self.q.shape[1]) & ~among(flat, self.cover.faint)
        return counted

    def erase(self, values: NDArray[Any], value: float) -> None:
        """Set what does not count to this value in another contiguous band of this shape."""
        self.cover.erase(values, value)


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
        self._covers = [self.covers(c, self.rows) for c in range(planes.channels)]
        self._samples: dict[tuple[int, int, int], Cover] = {}

    @property
    def odd(self) -> bool:
        """Which half-stack the sub belongs to."""
        return self.entry.number % 2 == 1

    def bands(self) -> list[tuple[int, int]]:
        """First and end row of every band."""
        height = self.warp.output_size[0]
        return [(y, min(y + self.rows, height)) for y in range(0, height, self.rows)]

    def covers(self, channel: int, rows: int) -> list[Cover]:
        """What counts in every band of so many rows."""
        height, width = self.warp.output_size
        return covers(*self.warp.valid(channel, 0, height), self.defects[channel], width, rows)

    def foresee(self, starts: Sequence[int], rows: int) -> None:
        """Find out at once what counts in bands of so many rows, from these ascending rows on."""
        height, width = self.warp.output_size
        starts = [start for start in starts if start + rows <= height]
        y = np.add.outer(starts, np.arange(rows)).ravel()
        place = np.full(height, -1)
        place[y] = np.arange(len(y))
        for channel, leaning in enumerate(self.defects):
            first, end = self.warp.valid(channel, 0, height)
            row, x = np.divmod(leaning, width)
            here = place[row] >= 0
            found = covers(first[y], end[y], place[row[here]] * width + x[here], width, rows)
            for start, cover in zip(starts, found, strict=True):
                self._samples[channel, start, start + rows] = cover

    def cover(self, channel: int, y0: int, y1: int) -> Cover:
        """What counts in these rows."""
        if y0 % self.rows == 0 and y1 == min(y0 + self.rows, self.warp.output_size[0]):
            return self._covers[channel][y0 // self.rows]
        if known := self._samples.get((channel, y0, y1)):
            return known
        width = self.warp.output_size[1]
        faint = within(self.defects[channel], y0 * width, y1 * width)
        return covers(*self.warp.valid(channel, y0, y1), faint, width, y1 - y0)[0]

    def band(self, channel: int, y0: int, y1: int, scratch: Scratch, wanted: Columns | None = None) -> Band:
        """These rows, in scratch until the next call; wanted: columns, others may hold anything finite."""
        weight = self.weight[channel]
        if self.entry.grid:
            q = self._steps(channel, y0, y1, scratch, wanted)
            np.rint(q, out=q)
            whole_of_steps(q, *self.entry.grid[channel], weight, q)
        else:
            q = self._scaled(channel, y0, y1, scratch, Scale(weight, 0.0), wanted)
            np.rint(q, out=q)
        return Band(y0, q, weight, self.cover(channel, y0, y1))

    def steps(self, channel: int, y0: int, y1: int, scratch: Scratch) -> Band:
        """The same with q = y in steps of the entry's grid above its level, not yet whole."""
        return Band(y0, self._steps(channel, y0, y1, scratch), 0, self.cover(channel, y0, y1))

    def _steps(
        self, channel: int, y0: int, y1: int, scratch: Scratch, wanted: Columns | None = None
    ) -> Float32:
        level, step = self.entry.grid[channel]
        return self._scaled(channel, y0, y1, scratch, Scale(1 / step, -level / step), wanted)

    def _scaled(
        self, channel: int, y0: int, y1: int, scratch: Scratch, scale: Scale, wanted: Columns | None
    ) -> Float32:
        """y scaled: the warp does it on the way; b is carried from the sub's px to the output's."""
        t = self.entry.normalisation.transparency
        b0, bx, by = self.entry.normalisation.background[channel]
        to_sub = self.warp.to_sub
        factor = scale.factor / t
        offset = scale.offset - factor * (b0 + bx * to_sub.tx + by * to_sub.ty)
        y = self.warp.band(self.calibrated.pixels, channel, y0, y1, scratch, Scale(factor, offset), wanted)
        if bx or by:
            along_x, along_y = bx * to_sub.a + by * to_sub.c, bx * to_sub.b + by * to_sub.d
            row = (factor * along_x * np.arange(y.shape[1])).astype(np.float32)
            column = (factor * along_y * np.arange(y0, y0 + len(y))).astype(np.float32)
            np.subtract(y, row, out=y)
            np.subtract(y, column[:, None], out=y)
        return y
