"""What is small and stands out of a bin: band by band, so that the smoothed bin is never held as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np

from starwell.frame import Float32, Float64, flat_true
from starwell.measure.background import all_finite
from starwell.measure.halved import Halved
from starwell.measure.luminance import TENT, Index
from starwell.measure.summits import CENTRE, REACH, SQUARE, summits_of

_SURROUNDINGS = 8  # px; interpolated, they reach twice as far
_BAND_ROWS, _HALO_ROWS = 128, 2 * _SURROUNDINGS  # whole surroundings, and few enough rows for the cache
_MANY = 4
"""So many times what is wanted may wait to be sorted out."""


def compact_bands(rows: Callable[[int, int], Float32], height: int) -> Iterator[tuple[int, Float32]]:
    """Bands of a plane smoothed above the mean of its surroundings, for nebulae would run stars together.

    rows(first, end): those of the plane. With the first row of each band.
    """
    for first in range(0, height, _BAND_ROWS):
        top, end = max(0, first - _HALO_ROWS), min(height, first + _BAND_ROWS)
        near = rows(top, min(end + _HALO_ROWS, height))
        tall, width = near.shape
        smooth = cv2.sepFilter2D(near, -1, TENT, TENT)
        coarse = (max(1, width // _SURROUNDINGS), max(1, tall // _SURROUNDINGS))
        around = cv2.resize(near, coarse, interpolation=cv2.INTER_AREA)
        around = cv2.resize(around, (width, tall), interpolation=cv2.INTER_LINEAR)
        own = slice(first - top, end - top)
        yield first, cv2.subtract(smooth[own], around[own])


class _Brightest:
    """Pixels above a level with their 5×5, of which only the brightest are wanted in the end."""

    def __init__(self, level: float, most: int) -> None:
        self.level = level
        self._floor, self._most = level, most
        self._light: list[Float32] = []
        self._near: list[Float32] = []
        self._places: list[Index] = []
        self._count = 0

    def take(self, first: int, band: Float32, before: Float32) -> None:
        """The next band, which begins at this row, and the rows before it."""
        strip = np.concatenate([before, band])
        height, width = strip.shape
        pixels, bright = strip.reshape(-1), flat_true(strip > self._floor)
        light = pixels[bright[np.searchsorted(bright, before.size) :]]
        self._light.append(light)
        self._count += len(light)
        y, x = np.divmod(bright, width)
        inner = (y >= REACH) & (y < height - REACH) & (x >= REACH) & (x < width - REACH)
        y, x, flat = y[inner], x[inner], bright[inner]
        self._near.append(pixels[flat[:, None] + (SQUARE[:, 0] * width + SQUARE[:, 1])])
        self._places.append(np.column_stack((y + first - len(before), x)))
        if self._count > _MANY * self._most:
            self._sort_out()

    def _sort_out(self) -> None:
        light = np.concatenate(self._light)
        least = float(np.partition(light, -self._most)[-self._most])
        self._floor = float(np.nextafter(np.float32(least), np.float32(-np.inf)))
        near = np.concatenate(self._near)
        bright = near[:, CENTRE] > self._floor
        self._near, self._places = [near[bright]], [np.concatenate(self._places)[bright]]
        self._light = [light[light > self._floor]]
        self._count = len(self._light[0])
        self.level = max(self.level, least)

    def summits(self) -> tuple[Float64, Float64]:
        """Those among them that are stars."""
        light = np.concatenate(self._light)
        if len(light) > self._most:
            self.level = float(np.partition(light, -self._most)[-self._most])
        return summits_of(np.concatenate(self._near), np.concatenate(self._places), self.level)


def bright_summits(half: Halved, level: float, most: int) -> tuple[Float64, Float64] | None:
    """What `summits` finds among the (up to `most`) px of a bin that exceed level once it is compact.

    None where the bin holds what is no number.
    """
    height, width = half.shape
    found, before = _Brightest(level, most), np.empty((0, width), np.float32)
    finite = True

    def rows(first: int, end: int) -> Float32:
        nonlocal finite
        near = half.rows(first, end)
        finite = finite and all_finite(near)
        return near

    for first, band in compact_bands(rows, height):
        if not finite:
            return None
        found.take(first, band, before)
        before = np.concatenate([before, band[-2 * REACH :]])[-2 * REACH :]
    return found.summits()
