"""Closed-form and robust fits of one star list onto another.

Inside the room a position is a complex number x + iy and a similarity is z -> a·z + b: |a| is the scale,
the phase of a the rotation. A reflection is the same on conjugated positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.align.transform import Transform
from starwell.frame import Float64

Complex = NDArray[np.complex128]
Indices = NDArray[np.intp]

INLIER_PX = 2.0
"""A pair further apart than this is no pair (T of the MSAC cost)."""

STILL_PX = 0.25
"""A source that comes back this close to its old sensor position did not move."""

JITTER_PX = 0.35
"""Scatter of a pair to expect, seeing moves stars against each other; believed like _PRIOR_PAIRS pairs."""

_PRIOR_PAIRS = 4
_COARSE = 100
"""The first rounds of a fit look at the brightest stars only: fewer chance pairs in a wide radius."""


class Similarity(NamedTuple):
    """Rotation, scale and shift of the plane: z -> a·z + b."""

    a: complex
    b: complex

    def apply(self, z: Complex) -> Complex:
        """Map positions."""
        return self.a * z + self.b

    def transform(self) -> Transform:
        """The same map as an affine one."""
        a, b = self
        return Transform(a.real, -a.imag, b.real, a.imag, a.real, b.imag)


class Field:
    """The positions a sub is fitted to, brightest first, and in the order in which they lie along x."""

    def __init__(self, z: Complex) -> None:
        self.z = z
        self._along = np.argsort(z.real, kind="stable")
        self._sorted = z[self._along]
        self._x = np.ascontiguousarray(self._sorted.real)

    def within(self, z: Complex, radius_px: float) -> tuple[Indices, Indices]:
        """Which position lies less than the radius from which field star, closest pair first."""
        x = z.real
        first = np.searchsorted(self._x, x - radius_px)
        count = np.searchsorted(self._x, x + radius_px) - first
        i = np.arange(len(z)).repeat(count)
        place = np.arange(len(i)) - (count.cumsum() - count - first).repeat(count)
        gap = np.abs(z[i] - self._sorted[place])
        near = np.flatnonzero(gap < radius_px)
        i, j = i[near], self._along[place[near]]
        order = np.lexsort((j, i, gap[near]))
        return i[order], j[order]

    def brightest(self, count: int) -> Field:
        """The field of the brightest stars only."""
        return self if len(self.z) <= count else Field(self.z[:count])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A similarity with the one-to-one pairs it was made from: star i lies on reference j."""

    similarity: Similarity
    i: Indices
    j: Indices
    residual: Complex

    @property
    def matched(self) -> int:
        """How many pairs."""
        return len(self.i)

    @property
    def rms_px(self) -> float:
        """Root mean square of the residuals in x and y (per coordinate, not per distance)."""
        return rms(self.residual)

    @property
    def score(self) -> float:
        """What the MSAC cost min(r², T²) falls short of T², summed in units of T²: more is better."""
        return float(np.sum(1 - (np.abs(self.residual) / INLIER_PX) ** 2))


def xy(z: Complex) -> Float64:
    """Positions (n, 2) of complex positions (n,)."""
    return np.column_stack([z.real, z.imag])


def complex_of(points: Float64) -> Complex:
    """Complex positions (n,) of positions (n, 2)."""
    return points[:, 0] + 1j * points[:, 1]


def sum_squares(residual: Complex) -> float:
    """Sum of the squared distances, px²."""
    return float(np.vdot(residual, residual).real)


def rms(residual: Complex) -> float:
    """Root mean square per coordinate."""
    return float(np.sqrt(sum_squares(residual) / (2 * len(residual))))


def shrunk_sigma(sigma: float, pairs: int) -> float:
    """A measured scatter drawn to the expected one: few pairs that agree by luck prove no precision."""
    return float(np.sqrt((sigma**2 * pairs + JITTER_PX**2 * _PRIOR_PAIRS) / (pairs + _PRIOR_PAIRS)))


def similarity(z: Complex, onto: Complex) -> Similarity:
    """Least squares: a = sum(conj(z) w) / sum|z|² about the means; a mere shift where all z coincide."""
    z0, w0 = z.mean(), onto.mean()
    moment = sum_squares(z - z0)
    a = complex(np.vdot(z - z0, onto - w0)) / moment if moment > 0 else 1 + 0j
    return Similarity(a, complex(w0 - a * z0))


def affine(z: Complex, onto: Complex) -> tuple[Transform, Complex]:
    """Least-squares affine map and its residuals. Needs three points off a line."""
    z0 = z.mean()
    design = np.column_stack([(z - z0).real, (z - z0).imag, np.ones(len(z))])
    columns = np.linalg.lstsq(design, xy(onto), rcond=None)[0]
    linear = columns[:2].T
    shift = columns[2] - linear @ (z0.real, z0.imag)
    transform = Transform.from_matrix(np.column_stack([linear, shift]))
    return transform, onto - complex_of(design @ columns)


def pair(z: Complex, field: Field, radius_px: float) -> tuple[Indices, Indices]:
    """One-to-one pairs of mapped stars and field stars: the nearest within the radius, closest pair first."""
    i, j = field.within(z, radius_px)
    nearest = np.sort(_first(i, len(z)))
    i, j = i[nearest], j[nearest]
    chosen = _first(j, len(field.z))
    i, j = i[chosen], j[chosen]
    order = np.argsort(i)
    return i[order], j[order]


def _first(numbers: Indices, end: int) -> Indices:
    """Where each of the numbers below end comes first, in the order of the numbers."""
    place = np.full(end, -1)
    place[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return place[place >= 0]


def refine(stars: Complex, field: Field, start: Similarity, radius_px: float) -> Fit | None:
    """The robust fit grown from a coarse similarity good to radius_px; None when the pairs run out.

    Coarse rounds on the brightest stars, a vote for the common residual (so that a second, smaller set of
    pairs a few px off cannot pull the mean), then least squares in a radius shrinking to 3.5 sigma.
    """
    bright, targets = stars[:_COARSE], field.brightest(_COARSE)
    current: Similarity | None = start
    for radius in (radius_px, radius_px, radius_px / 2):
        current = current and _fitted(bright, targets, current, radius)
    current = current and recentred(bright, targets, current, max(radius_px / 3, 2 * INLIER_PX))
    return current and settle(stars, field, current)


def settle(stars: Complex, field: Field, start: Similarity) -> Fit | None:
    """The robust fit from a similarity good to a pixel or so."""
    radius, current = 1.5 * INLIER_PX, start
    i = j = np.empty(0, np.intp)
    for _ in range(5):
        before, (i, j) = (i, j), moving_pairs(stars, field, current, radius)
        if len(i) < 3:
            return None
        if np.array_equal(before[0], i) and np.array_equal(before[1], j):
            break  # every further round would find the same
        current = similarity(stars[i], field.z[j])
        residual = field.z[j] - current.apply(stars[i])
        sigma = _median(np.abs(residual)) / 1.1774  # the median of a Rayleigh distribution
        radius = min(3.5 * shrunk_sigma(sigma, len(i)), INLIER_PX)
    keep = np.abs(residual) <= radius
    if np.count_nonzero(keep) < 3:
        return None
    return Fit(current, i[keep], j[keep], residual[keep])


def _median(values: Float64) -> float:
    """Of a few values; numpy's own takes ten times as long."""
    ordered = np.sort(values)
    return float(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def recentred(stars: Complex, field: Field, near: Similarity, radius_px: float) -> Similarity:
    """The same similarity, shifted by the residual that most pairs within the radius share."""
    residual = field.z[:, None] - near.apply(stars)[None, :]
    residual = residual[np.abs(residual) < radius_px]
    if not len(residual):
        return near
    close = np.abs(residual[:, None] - residual[None, :]) < 2 * JITTER_PX
    mode = int(np.argmax(np.count_nonzero(close, axis=1)))
    return Similarity(near.a, near.b + complex(residual[close[mode]].mean()))


def moving_pairs(stars: Complex, field: Field, at: Similarity, radius_px: float) -> tuple[Indices, Indices]:
    """The pairs within the radius, without sources that stayed on their pixel while the field moved on."""
    mapped = at.apply(stars)
    i, j = pair(mapped, field, radius_px)
    still = (np.abs(field.z[j] - stars[i]) < STILL_PX) & (np.abs(mapped[i] - stars[i]) > 2 * STILL_PX)
    return i[~still], j[~still]


def _fitted(stars: Complex, field: Field, at: Similarity, radius_px: float) -> Similarity | None:
    i, j = moving_pairs(stars, field, at, radius_px)
    return similarity(stars[i], field.z[j]) if len(i) >= 3 else None
