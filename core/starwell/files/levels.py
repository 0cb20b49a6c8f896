"""What the values of a set's pixels can be: how many low bits carry nothing, and where they saturate.

12- and 14-bit sensors come left-justified (×16, ×4) from some drivers and as they are from others, and no
keyword tells. Both facts are decided once for a set, from a few of its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from starwell.frame import FULL_SCALE_ADU, Facts, Pixels, sampled

_MOST_SHIFT = 8
_FEWEST_LEVELS = 8
_FEWEST_CLIPPED = 8
_CLIPPED_SHARE = 0.3
_LEVELS_ABOVE_SKY = 32
_BRIGHT = 0.9
_BITS_PX = 500_000


class Levels(NamedTuple):
    """adu_shift: low bits that are 0 in all pixels; plateau_adu: where bright pixels pile up, or None."""

    adu_shift: int
    plateau_adu: float | None


def levels(frames: Iterable[Pixels]) -> Levels:
    """The levels of a set of raw frames."""
    return common_levels(map(seen_in, frames))


def seen_in(pixels: Pixels) -> list[Cell]:
    """What one frame shows of the values that its pixels can have: of every colour, or of the 2×2 cell."""
    return [Cell.of(part, highest) for part, highest in _parts(pixels)]


def common_levels(seen: Iterable[list[Cell]]) -> Levels:
    """The levels of all frames looked at; float pixels and constant frames count as unshifted.

    Each of the four pixels of the 2×2 cell (or each colour) is judged by itself: a driver's white balance
    multiplies red and blue and leaves only the greens on the converter's steps.
    """
    cells: list[Cell] = []
    for frame in seen:
        cells = cells or [Cell() for _ in frame]
        for cell, other in zip(cells, frame, strict=False):
            cell.join(other)
    shifts = sorted((cell.shift() for cell in cells), reverse=True)
    shift = shifts[min(1, len(shifts) - 1)] if shifts else 0
    plateaus = [level for cell in cells if (level := cell.plateau(1 << shift)) is not None]
    return Levels(shift, min(plateaus, default=None))


def with_levels(facts: Facts, found: Levels) -> Facts:
    """The facts with this shift, saturated at the plateau or else at the converter's last step."""
    top = facts.saturation_adu
    if top == FULL_SCALE_ADU:
        top = FULL_SCALE_ADU + 1 - (1 << found.adu_shift)
    return replace(facts, adu_shift=found.adu_shift, saturation_adu=min(top, found.plateau_adu or top))


def _parts(pixels: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """Every colour, or pixel of the 2×2 cell, and the highest value of each of its columns."""
    if pixels.ndim == 3:
        for plane in pixels:
            yield plane, _highest(plane)
        return
    for y in (0, 1):
        highest = _highest(pixels[y::2])  # of whole rows: a quarter of the time of their halves
        for x in (0, 1):
            yield pixels[y::2, x::2], highest[x::2]


def _highest(rows: Pixels) -> Pixels:
    return np.fmax.reduce(rows, axis=0) if rows.size else rows[:0].reshape(-1)


class Cell:
    """The values of one pixel of the 2×2 cell, over all frames seen; no frame is kept.

    Every pixel is searched for the brightest, for the few that clip must not be missed; the bits are those
    of some 500,000 pixels in whole rows.
    """

    def __init__(self) -> None:
        self.bits = 0
        self.varied = False
        self.sky = np.inf
        self.top = -np.inf
        self.clipped = 0
        self.bright = 0

    @classmethod
    def of(cls, part: Pixels, highest: Pixels) -> Cell:
        """Those of one frame; highest: the highest value of each column."""
        cell = cls()
        if part.size == 0:
            return cell
        if part.dtype.kind in "iu" and part.dtype.itemsize > 1:
            some = part[:: max(1, part.size // _BITS_PX)]
            cell.bits = int(np.bitwise_or.reduce(some, axis=None, where=some != np.iinfo(part.dtype).max))
            cell.varied = _is_varied(part)
        top = float(np.fmax.reduce(highest))
        if np.isfinite(top):
            cell.sky = float(np.median(np.nan_to_num(sampled(part))))
            near = part[:, highest > _BRIGHT * top]
            cell.top, cell.clipped = top, int(np.count_nonzero(near == top))
            cell.bright = int(np.count_nonzero(near > _BRIGHT * top))
        return cell

    def join(self, other: Cell) -> None:
        """Those and these; only the frames that reach the highest value are asked what piles up there."""
        self.bits |= other.bits
        self.varied = self.varied or other.varied
        self.sky = min(self.sky, other.sky)
        if other.top > self.top:
            self.top, self.clipped, self.bright = other.top, 0, 0
        if other.top == self.top:
            self.clipped += other.clipped
            self.bright += other.bright

    def shift(self) -> int:
        """How many low bits carry nothing."""
        zeros = (self.bits & -self.bits).bit_length() - 1
        return zeros if self.varied and 0 < zeros <= _MOST_SHIFT else 0

    def plateau(self, step: int) -> float | None:
        """The highest value, where far more pixels have it than those just below it let expect."""
        if not np.isfinite(self.top) or self.top - self.sky <= _LEVELS_ABOVE_SKY * step:
            return None
        piled = self.clipped >= _FEWEST_CLIPPED and self.clipped >= _CLIPPED_SHARE * self.bright
        return self.top if piled else None


def _is_varied(part: Pixels) -> bool:
    """Whether enough different values occur that common zero bits are no accident."""
    seen: set[int] = set()
    for row in part:
        seen.update(row.tolist())
        if len(seen) >= _FEWEST_LEVELS:
            return True
    return False
