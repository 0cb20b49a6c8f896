"""Which pixels of a band a sub covers: nearly all of them are one rectangle, and the rest are few."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Mask
from starwell.stack.kernels import Indices

Spans = NDArray[np.int64]
Part = tuple[slice, slice]

_NEARLY = 0.9
"""Rows at least this part of the longest make the rectangle."""


class Reach:
    """The half-open range of columns first … end that counts in each row of a band.

    inner: (rows, columns) of a rectangle that is covered throughout, for what is done without a mask.
    """

    def __init__(self, first: Spans, end: Spans) -> None:
        self._first = first
        self._end = end
        length = end - first
        self._rows = len(first)
        if not length.any():
            self._low = self._high = 0
            self.inner = slice(0, 0), slice(0, 0)
            return
        some = length > 0
        self._low, self._high = int(first[some].min()), int(end[some].max())
        long = np.flatnonzero(length >= _NEARLY * length.max())
        rows = slice(int(long[0]), int(long[-1]) + 1)
        left = int(first[rows].max())
        self.inner = rows, slice(left, max(int(end[rows].min()), left))

    def _around(self) -> Iterator[tuple[Part, Mask]]:
        """The parts between the rectangle and what no row covers, and which of their pixels count."""
        rows, columns = self.inner
        for y0, y1, x0, x1 in (
            (0, rows.start, self._low, self._high),
            (rows.start, rows.stop, self._low, columns.start),
            (rows.start, rows.stop, columns.stop, self._high),
            (rows.stop, self._rows, self._low, self._high),
        ):
            if y1 > y0 and x1 > x0:
                x = np.arange(x0, x1)
                inside = (x >= self._first[y0:y1, None]) & (x < self._end[y0:y1, None])
                yield (slice(y0, y1), slice(x0, x1)), inside

    def ragged(self, width: int) -> Indices:
        """Band-flat indices of the covered pixels outside the rectangle; width: of the band."""
        found = [np.empty(0, np.int64)]
        for (rows, columns), inside in self._around():
            y, x = np.nonzero(inside)
            found.append((y + rows.start) * width + (x + columns.start))
        return np.concatenate(found)

    def erase(self, band: NDArray[Any], value: float) -> None:
        """Set what is not covered to this value."""
        band[:, : self._low] = value
        band[:, self._high :] = value
        for part, inside in self._around():
            band[part][~inside] = value

    def covers(self, flat: Indices, width: int) -> Mask:
        """Whether these pixels of the band, flat indices, are covered."""
        y, x = np.divmod(flat, width)
        covered: Mask = (x >= self._first[y]) & (x < self._end[y])
        return covered
