"""Single hot and cold pixels in a sub, told from stars without any master (methods.md, §3 and Decision 8)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.defects import Points
from starwell.frame import Facts, Float32, Mask, Planes

STAND_OUT = 5.0
"""Sigmas between an isolated pixel and the nearest of its 8 neighbours."""
CONTRAST = 4.0
"""How many times higher above the background than its highest neighbour an isolated pixel stands."""
SKIRT = 0.15
"""A hot pixel's four direct neighbours hold less than this part of it in the mean; a star's, 0.28 or more."""
MOVED_PX = 2.0
"""Subs this far apart show different sky on the same sensor pixel."""
SUBS = 5
WITNESSES = 3
"""A pixel of a colour sensor counts when 3 of the last 5 subs, each moved against the others, flag it."""

_NEIGHBOURS = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
_RING = [(dx, dy) for dx in range(-3, 4) for dy in range(-3, 4) if max(abs(dx), abs(dy)) == 3]


def isolated_pixels(plane: Float32, sigma_adu: float, egain: float | None = None) -> Mask:
    """Single pixels that no star can make: hot and cold, of one plane of one colour (H×W ADU above the dark).

    hot: x - max8 > 5σ, x - bg > 4·max(max8 - bg, σ) and mean4 - bg < 0.15·(x - bg), the last because noise
    can bring a star of FWHM 1.3 px past the second. cold: min8 - x > 5σ, where σ grows with the shot noise
    of the lowest neighbour when egain is given, and bg - x > 4·max(bg - min8, σ). bg is the median of the
    24 pixels three steps away.
    """
    plane = np.ascontiguousarray(plane, dtype=np.float32)
    highest: Float32 = cv2.dilate(plane, _NEIGHBOURS, borderType=cv2.BORDER_REFLECT_101)
    lowest: Float32 = cv2.erode(plane, _NEIGHBOURS, borderType=cv2.BORDER_REFLECT_101)
    threshold = np.float32(STAND_OUT * sigma_adu)
    mask = np.zeros(plane.shape, np.bool_)
    y, x = np.nonzero(plane - highest > threshold)
    value, near, sky = plane[y, x], highest[y, x], _around(plane, x, y)
    sharp = value - sky > CONTRAST * np.maximum(near - sky, sigma_adu)
    mask[y, x] = sharp & (_beside(plane, x, y) - sky < SKIRT * (value - sky))
    y, x = np.nonzero(lowest - plane > threshold)
    value, near, sky = plane[y, x], lowest[y, x], _around(plane, x, y)
    shot = 0.0 if egain is None else np.maximum(near, 0) / egain
    deep = near - value > STAND_OUT * np.sqrt(sigma_adu**2 + shot)
    mask[y, x] |= deep & (sky - value > CONTRAST * np.maximum(sky - near, sigma_adu))
    return mask


def _beside(plane: Float32, x: NDArray[np.intp], y: NDArray[np.intp]) -> Float32:
    """The mean of the four direct neighbours of each point."""
    bottom, right = plane.shape[0] - 1, plane.shape[1] - 1
    total: Float32 = plane[np.maximum(y - 1, 0), x] + plane[np.minimum(y + 1, bottom), x]
    total += plane[y, np.maximum(x - 1, 0)] + plane[y, np.minimum(x + 1, right)]
    total *= np.float32(0.25)
    return total


def _around(plane: Float32, x: NDArray[np.intp], y: NDArray[np.intp]) -> Float32:
    """The median of the 24 pixels three steps away from each point."""
    height, width = plane.shape
    ring = np.array(_RING, dtype=np.intp)
    columns = np.clip(x[:, None] + ring[:, 0], 0, width - 1)
    rows = np.clip(y[:, None] + ring[:, 1], 0, height - 1)
    around: Float32 = np.median(plane[rows, columns], axis=1) if len(x) else np.zeros(0, np.float32)
    return around


@dataclass(frozen=True, slots=True, eq=False)
class _Witness:
    """The pixels that one sub flagged, as sorted flat indices, and where the sky lay on the sensor."""

    offset: tuple[float, float]
    flagged: NDArray[np.intp]


class IsolatedPixels:
    """Names the isolated pixels of each sub of one set of lights; on colour sensors it asks for witnesses.

    A mono sub speaks for itself. On a colour sensor the neighbours of one colour lie 2 px apart and a
    sharp star looks like a hot pixel: there a pixel must stand clear of its direct neighbours too, and
    must be flagged in 3 of 5 subs between which the sky moved by 2 px or more.
    """

    def __init__(self, facts: Facts, *, egain: float | None = None) -> None:
        self._planes = Planes.of(facts)
        self._size = facts.size
        self._colour = self._planes.planes[0].step == 2
        self._egain = egain
        # noise that hides below the converter's steps must not make every step stand out
        self._least_sigma_adu = 2.0**facts.adu_shift / 2
        self._witnesses: deque[_Witness] = deque(maxlen=SUBS)

    def find(
        self, pixels: Float32, sigma_adu: tuple[float, ...], offset: tuple[float, float] = (0.0, 0.0)
    ) -> Points:
        """The isolated pixels (n, 2) of a calibrated sub, to be filled by Defects.repair.

        sigma_adu: noise of each channel, (channels,). offset: where the sub's sky lies on the sensor, in
        px against any fixed reference (the translation of its transform).
        """
        mask = np.zeros(self._size, np.bool_)
        sigma_adu = tuple(max(sigma, self._least_sigma_adu) for sigma in sigma_adu)
        for plane in self._planes.planes:
            view = self._planes.view(pixels, plane)
            found = isolated_pixels(view, sigma_adu[plane.channel], self._egain)
            self._planes.view(mask, plane)[...] |= found
        if self._colour:
            mask &= ~_beside_light(pixels, mask, max(sigma_adu))
            mask = self._witnessed(mask, offset)
        y, x = np.nonzero(mask)
        return np.column_stack((x, y)).astype(np.intp)

    def _witnessed(self, mask: Mask, offset: tuple[float, float]) -> Mask:
        flagged = np.flatnonzero(mask)
        if all(_apart(offset, witness.offset) for witness in self._witnesses):
            self._witnesses.append(_Witness(offset, flagged))
        seen, count = np.unique(
            np.concatenate([witness.flagged for witness in self._witnesses]), return_counts=True
        )
        known = np.intersect1d(flagged, seen[count >= WITNESSES])
        confirmed = np.zeros(mask.size, np.bool_)
        confirmed[known] = True
        return confirmed.reshape(mask.shape)


def _apart(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return bool(np.hypot(a[0] - b[0], a[1] - b[1]) >= MOVED_PX)


def _beside_light(pixels: Float32, mask: Mask, sigma_adu: float) -> Mask:
    """Flagged pixels whose direct neighbours of other colours stand out of their own surroundings: stars.

    A star of FWHM >= 1.5 px leaves a quarter of its peak or more in the next pixel.
    """
    veto = np.zeros_like(mask)
    height, width = mask.shape
    y, x = np.nonzero(mask)
    if len(x) == 0:
        return veto
    inner = (x >= 3) & (y >= 3) & (x < width - 3) & (y < height - 3)
    x, y = x[inner], y[inner]
    lit = np.zeros(len(x), np.bool_)
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        # the same colour two pixels further out, and to both sides
        near = pixels[y + dy, x + dx]
        sides = np.median(
            [pixels[y + dy + 2 * b, x + dx + 2 * a] for a, b in ((dx, dy), (dy, dx), (-dy, -dx))], axis=0
        )
        lit |= np.abs(near - sides) > STAND_OUT * sigma_adu
    veto[y[lit], x[lit]] = True
    return veto
