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
    """The levels of a set of raw frames; float pixels and constant frames count as unshifted.

    Each of the four pixels of the 2×2 cell (or each colour) is judged by itself: a driver's white balance
    multiplies red and blue and leaves only the greens on the converter's steps.
    """
    cells: list[_Cell] = []
    for pixels in frames:
        parts = list(_parts(pixels))
        cells = cells or [_Cell() for _ in parts]
        for cell, (part, highest) in zip(cells, parts, strict=False):
            cell.add(part, highest)
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


class _Cell:
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

    def add(self, part: Pixels, highest: Pixels) -> None:
        if part.size == 0:
            return
        if part.dtype.kind in "iu" and part.dtype.itemsize > 1:
            some = part[:: max(1, part.size // _BITS_PX)]
            self.bits |= int(np.bitwise_or.reduce(some, axis=None, where=some != np.iinfo(part.dtype).max))
            self.varied = self.varied or _is_varied(part)
        top = float(np.fmax.reduce(highest))
        if not np.isfinite(top):
            return
        self.sky = min(self.sky, float(np.median(np.nan_to_num(sampled(part)))))
        if top > self.top:
            self.top, self.clipped, self.bright = top, 0, 0
        if top == self.top:
            near = part[:, highest > _BRIGHT * top]
            self.clipped += int(np.count_nonzero(near == top))
            self.bright += int(np.count_nonzero(near > _BRIGHT * top))

    def shift(self) -> int:
        zeros = (self.bits & -self.bits).bit_length() - 1
        return zeros if self.varied and 0 < zeros <= _MOST_SHIFT else 0

    def plateau(self, step: int) -> float | None:
        """The highest value, where far more pixels have it than those just below it let expect.

        Only the frames that reach it are asked.
        """
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
