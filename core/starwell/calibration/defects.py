"""Pixels that calibration cannot mend: found in the masters, filled from neighbours of the same colour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Facts, Float32, Mask, Plane, Planes, sampled
from starwell.threads import Job

Points = NDArray[np.intp]
"""(n, 2): x and y of sensor pixels."""
Indices = NDArray[np.intp]
"""(n,): pixels counted along the rows of the sensor."""

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
_REACH = 2  # rows that the median of 5×5 pixels looks beyond its own
_BAND_ROWS = 64
_STRIPS, _STRIP_ROWS = 16, 8


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """Sensor pixels to fill, sorted by row; size is the sensor's height and width, counts are by kind."""

    xy: Points
    size: tuple[int, int]
    counts: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @staticmethod
    def at(index: Indices, size: tuple[int, int], counts: Mapping[str, int] | None = None) -> Defects:
        """The pixels at these places, counted along the rows; each once, in any order."""
        y, x = np.divmod(np.sort(index), size[1])
        return Defects(np.column_stack((x, y)).astype(np.intp), size, MappingProxyType(dict(counts or {})))

    @staticmethod
    def of(mask: Mask, counts: Mapping[str, int] | None = None) -> Defects:
        """The pixels that are set in an H×W mask."""
        return Defects.at(np.flatnonzero(mask), mask.shape, counts)

    @property
    def index(self) -> Indices:
        """Where the pixels are, counted along the rows."""
        return self.xy[:, 1] * self.size[1] + self.xy[:, 0]

    def mask(self) -> Mask:
        """The H×W mask of these pixels."""
        mask = np.zeros(self.size, np.bool_)
        mask[self.xy[:, 1], self.xy[:, 0]] = True
        return mask

    def joined(self, other: Defects) -> Defects:
        """These and those; ValueError when they are of different sensors."""
        if self.size != other.size:
            raise ValueError(f"defects of {self.size} and {other.size} pixels cannot be joined")
        both = np.union1d(self.index, other.index)
        return Defects.at(both, self.size, {**self.counts, **other.counts})

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


def robust_sigma(values: Float32) -> float:
    """1.4826 times the median absolute deviation of sampled values, those that are no number left out."""
    some = sampled(values)
    some = some[np.isfinite(some)]
    return float(1.4826 * np.median(np.abs(some - np.median(some)))) if some.size else 0.0


def from_pixels(
    dark_adu: Float32 | None,
    flat: Float32 | None,
    facts: Facts,
    *,
    bias_adu: Float32 | None = None,
    egain: float | None = None,
    read_noise_adu: float | None = None,
) -> Defects:
    """The defects that a dark (less its bias where there is one) and a flat of mean 1 show; each may lack."""
    found = Defects.at(np.empty(0, np.intp), facts.size)
    blind = None if flat is None else Job(partial(blind_pixels, flat, facts))
    if dark_adu is not None:
        found = found.joined(
            hot_pixels(dark_adu, facts, bias_adu=bias_adu, egain=egain, read_noise_adu=read_noise_adu)
        )
    return found if blind is None else found.joined(blind.made())


def hot_pixels(
    dark_adu: Float32,
    facts: Facts,
    *,
    bias_adu: Float32 | None = None,
    egain: float | None = None,
    read_noise_adu: float | None = None,
) -> Defects:
    """Pixels of a dark (ADU, its bias taken off when given) too hot to carry weight, and those stuck low.

    A pixel counts when it stands HOT_Z sigmas out of its neighbours of the same colour (Bayer phases
    apart) and its dark noise exceeds NOISE_RATIO read noises: D/K > (NOISE_RATIO² - 1)·RN², all in ADU.
    Where egain (K) or read noise is not known, ten sigmas of the master take the place of that clause.
    """
    planes = Planes.of(facts)
    found: list[tuple[Indices, Float32]] = []
    for plane in planes.planes:
        view = planes.view(dark_adu, plane)
        base = None if bias_adu is None else planes.view(bias_adu, plane)
        sigma = max(_relief_sigma(view, base), 1e-3)
        floor = 10 * sigma
        if egain is not None and read_noise_adu is not None:
            floor = (NOISE_RATIO**2 - 1) * read_noise_adu**2 * egain
        limit = np.float32(max(HOT_Z * sigma, floor))
        for rows in _bands(view.shape[0]):
            level, around = _relief(view, base, rows)
            level -= around
            height = np.abs(level, out=level)
            bad = ~(height <= limit)  # what is no number is no smaller either
            tall = np.nan_to_num(height[bad], nan=np.inf, posinf=np.inf)
            found.append((_places(bad, plane, rows, facts), tall))
    worst = _worst(found, int(MOST * np.prod(facts.size)))
    return Defects.at(worst, facts.size, {"hot": len(worst)})


def blind_pixels(flat: Float32, facts: Facts) -> Defects:
    """Dead pixels of a flat of mean 1 (H×W or 3×H×W), and cold ones, far off their neighbours' response."""
    planes = Planes.of(facts)
    found: dict[str, list[Indices]] = {"cold": [], "dead": []}
    for plane in planes.planes:
        view = planes.view(flat, plane)
        for rows in _bands(view.shape[0]):
            level, around = _relief(view, None, rows)
            dead = ~(level >= DEAD_FLAT)
            level -= around
            np.abs(level, out=level)
            np.maximum(around, DEAD_FLAT, out=around)
            around *= np.float32(COLD_RATIO)
            for kind, mask in (("dead", dead), ("cold", (level > around) & ~dead)):
                found[kind].append(_places(mask, plane, rows, facts))
    places = {kind: np.unique(np.concatenate(parts)) for kind, parts in found.items()}
    counts = {kind: len(index) for kind, index in places.items()}
    return Defects.at(np.union1d(*places.values()), facts.size, counts)


def _places(mask: Mask, plane: Plane, rows: slice, facts: Facts) -> Indices:
    """Where the pixels set in a mask of these rows of a plane are on the sensor."""
    y, x = np.divmod(np.flatnonzero(mask), mask.shape[1])
    y += rows.start
    places: Indices = (plane.y0 + plane.step * y) * facts.size[1] + plane.x0 + plane.step * x
    return places


def _bands(height: int) -> Iterator[slice]:
    return (slice(y, min(y + _BAND_ROWS, height)) for y in range(0, height, _BAND_ROWS))


def _relief(plane: Float32, base: Float32 | None, rows: slice) -> tuple[Float32, Float32]:
    """These rows of a plane above its base, and the median of each pixel's 5×5 neighbours; both new.

    Among the neighbours a pixel that is no number stands for 0.
    """
    top = max(rows.start - _REACH, 0)
    near = slice(top, rows.stop + _REACH)
    part = plane[near].copy() if base is None else plane[near] - base[near]
    good = np.isfinite(part)
    around: Float32 = cv2.medianBlur(part if good.all() else np.where(good, part, np.float32(0)), 5)
    own = slice(rows.start - top, rows.stop - top)
    return part[own], around[own]


def _relief_sigma(plane: Float32, base: Float32 | None) -> float:
    """Robust sigma of what stands out of its surroundings, from 16 strips of 8 rows of a tall plane."""
    height = plane.shape[0]
    strips = [slice(0, height)]
    if height > _STRIPS * _STRIP_ROWS:
        starts = [i * (height - _STRIP_ROWS) // (_STRIPS - 1) for i in range(_STRIPS)]
        strips = [slice(y, y + _STRIP_ROWS) for y in starts]
    return robust_sigma(np.concatenate([np.subtract(*_relief(plane, base, rows)) for rows in strips]))


def _worst(found: list[tuple[Indices, Float32]], most: int) -> Indices:
    """The flat indices of the pixels found, each once, no more than most of them and the highest first."""
    index, height = (np.concatenate(parts) for parts in zip(*found, strict=True))
    index = index[np.argsort(-height, kind="stable")]
    once, first = np.unique(index, return_index=True)
    if most == 0 or len(once) <= most:
        return once
    return index[np.sort(first)[:most]]
