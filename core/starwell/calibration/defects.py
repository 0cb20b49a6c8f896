"""Pixels that calibration cannot mend: found in the masters, filled from neighbours of the same colour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Facts, Float32, Mask, Planes

Points = NDArray[np.intp]
"""(n, 2): x and y of sensor pixels."""

HOT_Z = 6.0
"""A pixel this many robust sigmas above the median of its 5×5 neighbours of the same colour is hot."""
NOISE_RATIO = 2.0
"""A hot pixel whose dark noise exceeds this many read noises has no weight; others are just subtracted."""
DEAD_FLAT = 0.05
"""Below this response a pixel is not divided by its flat but filled."""
COLD_RATIO = 0.5
"""A pixel with less than this part of its neighbours' response is cold: division would double its noise."""
MOST = 0.02
"""No more than this part of a sensor is listed, the worst first: a stack has to keep its pixels."""

_BLOCK = 3  # rings of neighbours looked at, in steps of the same colour


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """Sensor pixels to fill, sorted by row; size is the sensor's height and width, counts are by kind."""

    xy: Points
    size: tuple[int, int]
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def of(mask: Mask, counts: Mapping[str, int] | None = None) -> Defects:
        """The pixels that are set in an H×W mask."""
        y, x = np.nonzero(mask)
        return Defects(
            np.column_stack((x, y)).astype(np.intp), mask.shape, MappingProxyType(dict(counts or {}))
        )

    def mask(self) -> Mask:
        """The H×W mask of these pixels."""
        mask = np.zeros(self.size, np.bool_)
        mask[self.xy[:, 1], self.xy[:, 0]] = True
        return mask

    def joined(self, other: Defects) -> Defects:
        """These and those; ValueError when they are of different sensors."""
        if self.size != other.size:
            raise ValueError(f"defects of {self.size} and {other.size} pixels cannot be joined")
        return Defects.of(self.mask() | other.mask(), {**self.counts, **other.counts})

    def window(self, x: int, y: int, width: int, height: int) -> Defects:
        """The same pixels as a window of the sensor sees them."""
        xy = self.xy - (x, y)
        inside = ((xy >= 0) & (xy < (width, height))).all(axis=1)
        return Defects(xy[inside], (height, width), self.counts)

    def repair(self, pixels: Float32, step: int) -> None:
        """Fill the pixels in place; step is 2 on a Bayer mosaic, 1 otherwise."""
        Repair(self, step).apply(pixels)


class Repair:
    """Fills defects with the mean of the nearest good neighbours of the same colour, looked up once."""

    def __init__(self, defects: Defects, step: int) -> None:
        self._size = defects.size
        height, width = defects.size
        bad = defects.mask()
        left = defects.xy
        self._parts: list[tuple[NDArray[np.intp], NDArray[np.intp], Float32]] = []
        for ring in range(1, _BLOCK + 1):
            around = [(dx, dy) for dx in range(-ring, ring + 1) for dy in range(-ring, ring + 1) if dx or dy]
            x, y = (left[:, None, :] + step * np.array(around, dtype=np.intp)).transpose(2, 0, 1)
            inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            index = np.where(inside, y * width + x, 0)
            good = inside & ~bad.ravel()[index]
            count = good.sum(axis=1)
            # two good neighbours opposite each other keep a gradient; fewer ask for a wider look
            done = count >= 2
            weight = (good[done] / count[done, None]).astype(np.float32)
            self._parts.append((left[done, 1] * width + left[done, 0], index[done], weight))
            left = left[~done]
        self._lost = left[:, 1] * width + left[:, 0]

    def apply(self, pixels: Float32) -> None:
        """Fill H×W or 3×H×W pixels in place; those with no good neighbour at hand take the sampled median."""
        for plane in pixels.reshape(-1, *self._size):
            flat = plane.reshape(-1)
            for target, index, weight in self._parts:
                near = flat[index]
                # a masked neighbour may be NaN, and NaN × 0 is NaN
                np.copyto(near, 0, where=weight == 0)
                flat[target] = np.einsum("ij,ij->i", near, weight)
            if self._lost.size:
                flat[self._lost] = np.nanmedian(plane[::8, ::8])


def sharpness(plane: Float32) -> Float32:
    """A plane minus the median of its 5×5 neighbours: what stands out of its surroundings."""
    plane = np.ascontiguousarray(np.nan_to_num(plane), dtype=np.float32)
    smooth: Float32 = cv2.medianBlur(plane, 5)
    return plane - smooth


def robust_sigma(values: Float32) -> float:
    """1.4826 times the median absolute deviation of a sample."""
    sample = values[::2, ::2] if values.size > 4_000_000 else values
    return float(1.4826 * np.median(np.abs(sample - np.median(sample))))


def from_pixels(
    charge_adu: Float32 | None,
    flat: Float32 | None,
    facts: Facts,
    *,
    egain: float | None = None,
    read_noise_adu: float | None = None,
) -> Defects:
    """The defects that a dark above its bias (ADU) and a flat of mean 1 show; neither is needed."""
    mask = np.zeros(facts.size, np.bool_)
    counts: dict[str, int] = {}
    if charge_adu is not None:
        hot = hot_pixels(charge_adu, facts, egain=egain, read_noise_adu=read_noise_adu)
        counts["hot"] = int(hot.sum())
        mask |= hot
    if flat is not None:
        cold, dead = cold_pixels(flat, facts)
        counts |= {"cold": int(cold.sum()), "dead": int(dead.sum())}
        mask |= cold | dead
    return Defects.of(mask, counts)


def hot_pixels(
    charge_adu: Float32, facts: Facts, *, egain: float | None = None, read_noise_adu: float | None = None
) -> Mask:
    """Pixels of a dark above its bias (ADU) that are too hot to carry weight, and those stuck low.

    A pixel counts when it stands HOT_Z sigmas out of its neighbours of the same colour (Bayer phases
    apart) and its dark noise exceeds NOISE_RATIO read noises: D/K > (NOISE_RATIO² - 1)·RN², all in ADU.
    Where egain (K) or read noise is not known, ten sigmas of the master take the place of that clause.
    """
    mask = np.zeros(facts.size, np.bool_)
    planes = Planes.of(facts)
    height = np.zeros(facts.size, np.float32)
    for plane in planes.planes:
        view = planes.view(charge_adu, plane)
        excess = sharpness(view)
        sigma = max(robust_sigma(excess), 1e-3)
        floor = 10 * sigma
        if egain is not None and read_noise_adu is not None:
            floor = (NOISE_RATIO**2 - 1) * read_noise_adu**2 * egain
        bad = (np.abs(excess) > max(HOT_Z * sigma, floor)) | ~np.isfinite(view)
        planes.view(mask, plane)[...] |= bad
        top = planes.view(height, plane)
        np.maximum(top, np.where(bad, np.abs(excess), 0), out=top)
    return _worst(mask, height)


def cold_pixels(flat: Float32, facts: Facts) -> tuple[Mask, Mask]:
    """Cold and dead pixels of a flat of mean 1 (H×W or 3×H×W): far below their neighbours, or blind."""
    cold = np.zeros(facts.size, np.bool_)
    dead = np.zeros(facts.size, np.bool_)
    planes = Planes.of(facts)
    for plane in planes.planes:
        view = planes.view(flat, plane)
        blind = ~(view >= DEAD_FLAT)
        excess = sharpness(view)
        around = np.nan_to_num(view) - excess
        odd = np.abs(excess) > COLD_RATIO * np.maximum(around, DEAD_FLAT)
        planes.view(dead, plane)[...] |= blind
        planes.view(cold, plane)[...] |= odd & ~blind
    return cold, dead


def _worst(mask: Mask, height: Float32) -> Mask:
    """The mask, cut to the highest MOST of all pixels."""
    most = int(MOST * mask.size)
    if np.count_nonzero(mask) <= most or most == 0:
        return mask
    floor = np.partition(height.ravel(), -most)[-most]
    mask &= height >= floor
    return mask
