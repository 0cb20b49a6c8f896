"""The sky of many boxes at once: of each the mode, as SExtractor estimates it (Bertin & Arnouts 1996)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64

Counts = NDArray[np.intp]

_CLIP = 3.0
_ROUNDS = 6  # one box in fifty still changes then, by a sample or two
_CROWDED = 0.3
"""Mean and median of crowded boxes lie further apart, in sigma: then the median stands for the mode."""

_RUN = 32


def modes(boxes: Float32) -> Float64:
    """The mode of each box, 2.5·median - 1.5·mean of what is within 3 sigma of the median.

    boxes (number, samples); the mode of one that is not a number in half of its samples or more is NaN.
    numpy sorts and sums without the interpreter's lock.
    """
    count = boxes.shape[1]
    ordered = np.full((len(boxes), -(-count // _RUN) * _RUN), np.inf, np.float32)
    ordered[:, :count] = boxes
    held = np.full(len(boxes), count)
    wrong = ~np.isfinite(boxes)
    if wrong.any():
        ordered[:, :count][wrong] = np.inf
        held -= np.count_nonzero(wrong, axis=1)
    ordered.sort(axis=1)
    good = 2 * held > count
    found = np.full(len(boxes), np.nan)
    if good.all():
        return _modes(ordered, held)
    if good.any():
        found[good] = _modes(ordered[good], held[good])
    return found


def _modes(ordered: Float32, held: Counts) -> Float64:
    """The same of boxes whose samples ascend, the first so many of them numbers."""
    middle = ordered[np.arange(len(held)), held // 2]
    ordered -= middle[:, None]
    rows = _Rows(ordered)
    least, low, high, most = (rows.at((held - 1) * sixths // 6) for sixths in (0, 1, 5, 6))
    median, sigma = np.zeros(len(held)), np.where(high > low, high - low, most - least) / 2
    before = 0 * held
    for _ in range(_ROUNDS):
        floor, ceiling = ((median + clip * sigma).astype(np.float32) for clip in (-_CLIP, _CLIP))
        limits = np.column_stack([np.nextafter(floor, np.float32(-np.inf)), ceiling])
        (below, end), light, square = rows.up_to(limits)
        kept = end - below
        mean = (light[1] - light[0]) / kept
        sigma = np.sqrt(np.maximum((square[1] - square[0]) / kept - mean * mean, 0.0))
        median = (rows.at(below + (kept - 1) // 2) + rows.at(below + kept // 2)) / 2
        if (kept == before).all():
            break
        before = kept
    skew = np.where(np.abs(mean - median) < _CROWDED * sigma, 1.5 * (median - mean), 0.0)
    return np.asarray(middle + median + skew)


class _Rows:
    """Ascending rows whose beginnings can be summed at once: by whole runs, and one run that is cut."""

    def __init__(self, rows: Float32) -> None:
        self._rows, self._each = rows, np.arange(len(rows))
        self._runs = rows.reshape(len(rows), -1, _RUN)
        self._firsts = np.ascontiguousarray(self._runs[:, :, 0])
        self._sums = _before(np.einsum("ijk->ij", self._runs))
        self._squares = _before(np.einsum("ijk,ijk->ij", self._runs, self._runs))

    def at(self, place: Counts) -> Float64:
        """The sample of each row at its place."""
        return self._rows[self._each, place].astype(np.float64)

    def up_to(self, limits: Float32) -> tuple[Counts, Float64, Float64]:
        """Number, sum and sum of squares of each row's samples up to its limits.

        limits (rows, limits); what is returned has the limits first.
        """
        ceiling = limits[:, :, None]
        run = np.maximum(np.count_nonzero(self._firsts[:, None] <= ceiling, axis=2) - 1, 0)
        row = self._each[:, None]
        cut = self._runs[row, run]
        inside = cut <= ceiling
        part = np.where(inside, cut, 0)
        return (
            (run * _RUN + np.count_nonzero(inside, axis=2)).T,
            (self._sums[row, run] + np.einsum("ijk->ij", part)).T,
            (self._squares[row, run] + np.einsum("ijk,ijk->ij", part, part)).T,
        )


def _before(sums: Float32) -> Float64:
    """Of each row and run the sum of all runs before it."""
    before = np.zeros(sums.shape)
    np.cumsum(sums[:, :-1], axis=1, out=before[:, 1:])
    return before
