"""What a stack shows, coarsely: where its stars are and how faint its sky is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32
from starwell.threads import Each

CELL = 16
"""Output px per cell of the coarse maps."""

SEEING = 0.2
"""f: the part of a star's peak that seeing moves from sub to sub."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What a channel of the stack shows, coarsely; refreshed rarely.

    star: f·m* in quarters of an ADU at half resolution, m* the local peak above the median of a box of 5
    FWHM.
    low: the faintest half-resolution pixel of every cell, ADU.
    """

    star: NDArray[np.uint16]
    low: Float32


def survey(
    rows: Callable[[int, int], Float32], star: NDArray[np.uint16], fwhm_px: float, each: Each
) -> Scene:
    """The scene of a mean at half resolution, of which rows(y0, y1) gives bands; fwhm_px in full px.

    star: where its stars are put. Rows are asked for twice, so that they are never held as a whole. 0 means
    no value and is taken for the level of the middle rows, or edges would look like stars.
    """
    height, width = star.shape
    grain = max(1, round(fwhm_px / 2))
    coarse = np.empty((-(-height // grain), -(-width // grain)), np.float32)
    low = np.empty((-(-height // _HALF_CELL), -(-width // _HALF_CELL)), np.float32)
    middle = rows(height // 2, min(height // 2 + 32, height))
    level = np.median(middle[middle != 0]) if middle.any() else np.float32(0)

    def filled(y0: int, y1: int) -> Float32:
        half = rows(y0, y1)
        np.copyto(half, level, where=half == 0)
        return half

    def look(band: tuple[int, int]) -> None:
        y0, y1 = band
        half = filled(y0, y1)
        part = coarse[y0 // grain : -(-y1 // grain)]
        part[:] = cv2.resize(half, part.shape[::-1], interpolation=cv2.INTER_AREA)
        low[y0 // _HALF_CELL : -(-y1 // _HALF_CELL)] = _cell_minima(half)

    bands = [(y, min(y + _SURVEY_ROWS * grain, height)) for y in range(0, height, _SURVEY_ROWS * grain)]
    each(look, bands)
    box = cv2.medianBlur(coarse, 5)
    box -= level

    def find(band: tuple[int, int]) -> None:
        y0, y1 = band
        first = max(y0 - 1, 0)
        above = filled(first, min(y1 + 1, height)) - level
        _stars(above, y0 - first, box[y0 // grain : -(-y1 // grain)], grain, star[y0:y1])

    each(find, bands)
    return Scene(star, low)


_SURVEY_ROWS = 32
"""Of a band of a survey, times the grain of its coarse view."""
_HALF_CELL = CELL // 2
STAR_ADU = 0.25
"""The unit of the star term, of which 16 bits hold more than the peak of any star."""

_LARGEST = 65535


def _stars(above: Float32, first: int, box: Float32, grain: int, star: NDArray[np.uint16]) -> None:
    """f·m* of rows, from the mean and the median around, both above one level.

    above: these rows from number `first` on, with those beside them.
    """
    height, width = star.shape
    around = cv2.dilate(above, np.ones((3, 3), np.uint8))
    ground = np.repeat(np.repeat(box, grain, axis=0), grain, axis=1)
    peak = np.subtract(around[first : first + height], ground[:height, :width])
    np.multiply(peak, np.float32(SEEING / STAR_ADU), out=peak)
    np.copyto(star, np.clip(peak, 0, _LARGEST, out=peak), casting="unsafe")


def _cell_minima(half: Float32) -> Float32:
    height, width = (-(-n // _HALF_CELL) for n in half.shape)
    beyond = [(0, cells * _HALF_CELL - n) for cells, n in zip((height, width), half.shape, strict=True)]
    whole = np.pad(half, beyond, mode="edge") if any(more for _, more in beyond) else half
    rows = whole.reshape(height, _HALF_CELL, -1).min(axis=1)
    minima: Float32 = rows.reshape(height, width, _HALF_CELL).min(axis=2)
    return minima
