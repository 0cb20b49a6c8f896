"""Which pixels of a sub are not of the sky: a noise model, not the pixels' own scatter, decides.

A pixel is an outlier when y - m exceeds kappa·sigma, with m the stack's mean and
sigma² = s²·Var(m)·(1 + 1/n) + (f·m*)²: the sensor's variance with the flat taken into account, a scalar s
per sub and channel that absorbs gain errors and the kernel's smoothing, the mean's own noise, and a term
for stars, whose peaks move with the seeing (methods, decisions 2 and 3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64
from starwell.measure.compare import Normalisation
from starwell.sensor.model import SensorModel
from starwell.stack.kernels import Indices, Scratch, beyond, distinct
from starwell.stack.scene import CELL, STAR_ADU, Scene
from starwell.stack.warp import Warp

Deviation = Float32 | NDArray[np.int16]

KAPPA_HIGH = 4.0
KAPPA_LOW = 5.0
SHARP_KAPPA = 5.5
EDGE_KAPPA = 2.0
"""Around an outlier above SHARP what deviates by more than EDGE, up or down, goes with it: the kernel has
spread a hot pixel or a cosmic ray over its neighbours, and its negative taps beyond."""

BLOB_PX = 8
"""Connected outliers of at least this many (plane) pixels grow by GROWTH_PX."""

GROWTH_PX = 2
_FLAT_CELL = 16
_DARKEST_FLAT = 0.02
_SAFETY = 0.95
"""The first, coarse comparison keeps everything above this part of the limit. Only pixels that chance made a
tenth fainter than all about them have a lower one; at 0.9 half as many more would be looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMap:
    """Variance of one sub's normalised pixels, Var = max(slope·m + start, least), per cell of 16×16 px."""

    slope: Float32
    start: Float32
    least: Float32

    def variance(self, mean: Float32) -> Float32:
        """Variance in ADU² where the mean is m, cell by cell."""
        variance: Float32 = np.maximum(self.slope * mean + self.start, self.least)
        return variance

    def at(self, y: NDArray[np.intp], x: NDArray[np.intp]) -> NoiseMap:
        """That of the cells in which these output pixels lie, of the pixels' shape."""
        cells = y // CELL * self.slope.shape[1] + x // CELL
        return NoiseMap(*(of.reshape(-1).take(cells) for of in (self.slope, self.start, self.least)))


def noise_map(
    model: SensorModel,
    warp: Warp,
    flat: Float32 | None,
    dark_adu: float,
    normalisation: Normalisation,
    channel: int,
) -> NoiseMap:
    """The sensor model carried to the stack's scale and grid.

    With c = t·m + b in the sub's own ADU, Var(y) = [(a·c + D)/K + RN²]/(a·t)²; flat: a(x) per 16×16
    sensor px. Two planes that are averaged halve it.
    """
    height, width = warp.output_size
    y, x = (CELL * np.arange(-(-n // CELL)) + (CELL - 1) / 2 for n in (height, width))
    at = warp.to_sub.apply(np.stack(np.meshgrid(x, y), axis=-1))
    a = np.ones(at.shape[:2]) if flat is None else _sampled(flat, at)
    t = normalisation.transparency
    b0, bx, by = normalisation.background[channel]
    shares = sum(plane.channel == channel for plane in warp.planes.planes)
    slope = 1 / (model.egain * a * t) / shares
    least = (dark_adu / model.egain + model.read_variance_adu) / (a * t) ** 2 / shares
    start = slope * (b0 + bx * at[..., 0] + by * at[..., 1]) / t + least
    return NoiseMap(*(v.astype(np.float32) for v in (slope, start, least)))


def _sampled(flat: Float32, at: Float64) -> Float64:
    """The coarse flat at sensor positions, its edges held."""
    place = ((at - (_FLAT_CELL - 1) / 2) / _FLAT_CELL).astype(np.float32)
    x, y = np.ascontiguousarray(place[..., 0]), np.ascontiguousarray(place[..., 1])
    a = cv2.remap(flat.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    kept: Float64 = np.maximum(a.astype(np.float64), _DARKEST_FLAT)
    return kept


_OF_MEAN = (1 + 1 / np.maximum(np.arange(1 << 16), 1)).astype(np.float32)
"""Variance of a deviation from a mean of n subs over the sub's own, by n."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """How one channel of one sub is judged; grain: output px per plane px along an axis."""

    noise: NoiseMap
    scene: Scene
    scatter: float = 1.0
    grain: int = 1

    def variance(
        self, y: NDArray[np.intp], x: NDArray[np.intp], mean: Float32, count: NDArray[np.uint16] | None
    ) -> tuple[Float32, Float32]:
        """Var(D) without and the square of the star term, at output pixels; count None: m has no noise."""
        variance = self.noise.at(y, x).variance(mean)
        variance *= np.float32(self.scatter**2)
        if count is not None:
            variance *= _OF_MEAN.take(count, mode="clip")
        height, width = self.scene.star.shape
        half = np.minimum(y // 2, height - 1) * width + np.minimum(x // 2, width - 1)
        star = self.scene.star.reshape(-1).take(half) * np.float32(STAR_ADU)
        return variance, np.square(star, out=star)

    def first_limits(self, kind: np.dtype[Any], unit_adu: float, starts: Sequence[int]) -> Deviation:
        """|D| below which no pixel can be an outlier, by columns of bands that begin at these rows of cells.

        In units of so many ADU, of this kind.
        """
        limits: Float32 = np.sqrt(self.noise.variance(self.scene.low))
        limits *= np.float32(_SAFETY * KAPPA_HIGH * self.scatter / unit_adu)
        least = np.minimum.reduceat(limits, starts, axis=0)
        whole: Deviation = least if kind == least.dtype else np.minimum(least, 32767).astype(kind)
        columns: Deviation = np.repeat(whole, CELL, axis=1)  # type: ignore[assignment]
        return columns


def outliers(
    deviation: Deviation,
    unit_adu: float,
    mean: Callable[[Indices], Float32],
    count: NDArray[np.uint16] | None,
    y0: int,
    rule: Rule,
    limit: Deviation,
    scratch: Scratch,
) -> Indices:
    """Sorted flat indices of the outliers, D > 4 sigma or D < -5 sigma, with their edges and grown blobs.

    deviation: in these units. mean: m at flat indices of the band. limit: of each column, the rule's
    first one.
    """
    shape, kind = deviation.shape, deviation.dtype
    magnitude, far = scratch.take("work", shape, kind), scratch.take("far", shape, np.bool_)
    places = beyond(deviation, limit, magnitude, far)
    if not places.size:
        return places
    y, x = np.divmod(places, shape[1])
    near_count = None if count is None else count.reshape(-1).take(places)
    variance, star = rule.variance(y + y0, x, mean(places), near_count)
    d = np.float32(unit_adu) * deviation.reshape(-1).take(places)
    variance += star
    sigma = np.sqrt(variance, out=variance)
    found = places[(d > KAPPA_HIGH * sigma) | (d < -KAPPA_LOW * sigma)]
    sharp = np.flatnonzero(d > SHARP_KAPPA * sigma)
    if sharp.size:
        found = distinct(found, _edges(deviation, unit_adu, places[sharp], sigma[sharp]))
    blob = BLOB_PX * rule.grain**2
    grown = _grown(found, shape, blob) if found.size >= blob else found[:0]
    return distinct(found, grown) if grown.size else found


@cache
def _offsets(radius: int) -> NDArray[np.int64]:
    """(dy, dx) of a disc, its centre left out."""
    dy, dx = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    near = (dy**2 + dx**2 <= radius**2 + 1) & ((dy != 0) | (dx != 0))
    return np.stack([dy[near], dx[near]], axis=1)


def _around(places: Indices, shape: tuple[int, ...], radius: int) -> tuple[Indices, NDArray[np.bool_]]:
    """Flat indices of the neighbours, (neighbours, places), and whether they are inside the band."""
    y, x = np.divmod(places, shape[1])
    dy, dx = (o[:, None] for o in _offsets(radius).T)
    inside = (y + dy >= 0) & (y + dy < shape[0]) & (x + dx >= 0) & (x + dx < shape[1])
    return np.where(inside, (y + dy) * shape[1] + x + dx, 0), inside


def _edges(deviation: Deviation, unit_adu: float, places: Indices, sigma: Float32) -> Indices:
    neighbours, inside = _around(places, deviation.shape, 2)
    off = unit_adu * np.abs(deviation.reshape(-1).take(neighbours)) > EDGE_KAPPA * sigma
    return np.extract(inside & off, neighbours)


def _labels(start: Indices, end: Indices, count: int) -> Indices:
    """The lowest number in the group of each of `count` pixels, start and end being linked pairs of them."""
    label = np.arange(count)
    while True:
        a, b = label[start], label[end]
        if (a == b).all():
            return label
        lower, upper = np.minimum(a, b), np.maximum(a, b)
        np.minimum.at(label, upper, lower)
        # what stands for a group may by now belong to another one
        while (label[label] != label).any():
            label = label[label]


def _grown(found: Indices, shape: tuple[int, ...], blob: int) -> Indices:
    """The surroundings of connected (8-neighbour) blobs of at least `blob` pixels; found is sorted."""
    width = shape[1]
    wanted = found + np.array([1, width - 1, width, width + 1])[:, None]
    at = np.minimum(np.searchsorted(found, wanted), found.size - 1)
    linked = found.take(at) == wanted
    if np.count_nonzero(linked) < blob - 1:
        return found[:0]
    start, end = np.nonzero(linked)[1], at[linked]
    label = _labels(start, end, found.size)
    big = found[np.bincount(label)[label] >= blob]
    if not big.size:
        return big
    neighbours, inside = _around(big, shape, GROWTH_PX)
    return distinct(neighbours[inside])
