"""Which pixels of a band a sub covers: nearly all of them are one rectangle, and the rest are few."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Mask
from starwell.stack.kernels import Indices

Spans = NDArray[np.int64]
Part = tuple[slice, slice]

_NEARLY = 0.9
"""Rows at least this part of the longest make the rectangle."""


class Reach(NamedTuple):
    """The half-open range of columns first … end that counts in each row of a band.

    low, high: the range outside which nothing counts in any row. inner: (rows, columns) of a rectangle that
    is covered throughout, for what is done without a mask.
    """

    first: Spans
    end: Spans
    low: int
    high: int
    inner: Part

    def covers(self, flat: Indices, width: int) -> Mask:
        """Whether these pixels of the band, flat indices, are covered."""
        y, x = np.divmod(flat, width)
        covered: Mask = (x >= self.first.take(y)) & (x < self.end.take(y))
        return covered


def reaches(first: Spans, end: Spans, rows: int) -> list[Reach]:
    """The reach of every band of so many rows, the last one of those there are."""
    height = len(first)
    beyond = -height % rows
    firsts, ends = (np.pad(v, (0, beyond)).reshape(-1, rows) for v in (first, end))
    length = ends - firsts
    most = length.max(axis=1, keepdims=True)
    some, long = length > 0, (length >= _NEARLY * most) & (most > 0)
    row = np.arange(rows)
    top = np.where(most[:, 0] > 0, long.argmax(axis=1), 0)
    bottom = np.where(most[:, 0] > 0, rows - long[:, ::-1].argmax(axis=1), 0)
    tall = (row >= top[:, None]) & (row < bottom[:, None])
    far = max(int(end.max(initial=0)), 0)
    low = np.where(some, firsts, far).min(axis=1)
    high = np.where(some, ends, 0).max(axis=1)
    left = np.where(tall, firsts, 0).max(axis=1)
    right = np.maximum(np.where(tall, ends, far).min(axis=1), left)
    edges = zip(*(v.tolist() for v in (low, high, top, bottom, left, right)), strict=True)
    return [
        Reach(first[y : y + rows], end[y : y + rows], a, b, (slice(y0, y1), slice(x0, x1)))
        for y, (a, b, y0, y1, x0, x1) in zip(range(0, height, rows), edges, strict=True)
    ]


def ragged(bands: list[Reach], width: int) -> Indices:
    """Sorted flat indices, over all bands, of the covered pixels outside the bands' rectangles."""
    first, end = (np.concatenate([getattr(reach, name) for reach in bands]) for name in ("first", "end"))
    left, right = end.copy(), end.copy()  # rows beside a rectangle are all to its left
    y = 0
    for reach in bands:
        rows, columns = reach.inner
        inside = slice(y + rows.start, y + rows.stop)
        left[inside], right[inside] = columns.start, columns.stop
        y += len(reach.first)
    np.minimum(left, end, out=left)
    np.maximum(right, first, out=right)
    return _flat(np.stack([first, right], axis=1), np.stack([left, end], axis=1), width)


def _outside(bands: list[Reach], width: int) -> Indices:
    """Sorted flat indices, over all bands, of what is not covered between a band's low and its high."""
    first, end = (np.concatenate([getattr(reach, name) for reach in bands]) for name in ("first", "end"))
    rows = [len(reach.first) for reach in bands]
    low, high = (np.repeat([getattr(reach, name) for reach in bands], rows) for name in ("low", "high"))
    first = np.where(first < end, first, high)  # a row without any has its gap on the left
    end = np.maximum(end, first)
    return _flat(np.stack([low, end], axis=1), np.stack([first, high], axis=1), width)


def _flat(start: Spans, end: Spans, width: int) -> Indices:
    """Sorted flat indices of the spans start … end (rows, spans) of every row."""
    row = width * np.arange(len(start))[:, None]
    length = np.maximum(end - start, 0).reshape(-1)
    before = np.cumsum(length) - length
    flat: Indices = np.repeat((start + row).reshape(-1) - before, length) + np.arange(length.sum())
    return flat


class Cover(NamedTuple):
    """What of a band counts: all within reach but the faint pixels, which lean on repaired ones.

    ragged: what is in reach outside its rectangle. outside: what is not between its low and high. All are
    sorted and band-flat.
    """

    reach: Reach
    ragged: Indices
    outside: Indices
    faint: Indices

    def erase(self, values: NDArray[Any], value: float) -> None:
        """Set what does not count to this value in a contiguous band."""
        low, high = self.reach.low, self.reach.high
        if low:
            values[:, :low] = value
        if high < values.shape[1]:
            values[:, high:] = value
        flat = values.reshape(-1)
        flat[self.outside] = value
        flat[self.faint] = value


def covers(first: Spans, end: Spans, leaning: Indices, width: int, rows: int) -> list[Cover]:
    """Of every band of so many rows; leaning: sorted flat pixels that lean on repaired ones."""
    bands = reaches(first, end, rows)
    y, x = np.divmod(leaning, width)
    faint = leaning[(x >= first[y]) & (x < end[y])]
    pixels = rows * width
    parts = (_cut(flat, pixels, len(bands)) for flat in (ragged(bands, width), _outside(bands, width), faint))
    return [Cover(*of) for of in zip(bands, *parts, strict=True)]


def _cut(flat: Indices, pixels: int, bands: int) -> list[Indices]:
    """Sorted flat indices band by band, each counted from its band's beginning."""
    band, inside = np.divmod(flat, pixels)
    edges = np.searchsorted(band, np.arange(bands + 1)).tolist()
    return [inside[a:b] for a, b in pairwise(edges)]


def within(sorted_flat: Indices, start: int, end: int) -> Indices:
    """The indices in start … end, counted from start."""
    a, b = np.searchsorted(sorted_flat, (start, end))
    return sorted_flat[a:b] - start
