"""A sub beside the reference: how much light came through, how bright its sky is, what it weighs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from starwell.align.transform import Transform
from starwell.frame import Float64
from starwell.measure.stars import Stars
from starwell.measure.sub import Measured

_FEWEST_PAIRS = 3
_MEDIAN_EFFICIENCY = math.sqrt(math.pi / 2)
_PLANE_GAIN = 11.8  # chi² that two parameters win by chance once in 370 times: 3 sigma
_FEWEST_NODES = 9
_CLIP = 3.0


@dataclass(frozen=True, slots=True)
class Normalisation:
    """What brings a sub to the reference's scale: y = (c - b(x, y))/t with b = b0 + bx·x + by·y.

    transparency t: the sub's light over the reference's, exposure included. background: (b0, bx, by) per
    channel, ADU, at the sub's sensor px; y keeps the reference's sky.
    """

    transparency: float
    background: tuple[tuple[float, float, float], ...]


def transparency(
    stars: Stars, reference: Stars, pairs: NDArray[np.intp], *, expected: float = 1.0
) -> tuple[float, float]:
    """Light of the matched stars over that of the reference's, and its standard error.

    pairs (n, 2): indices into stars and reference. The SNR²-weighted median of the flux ratios of stars
    saturated in neither. expected: the ratio of the exposures, returned with an infinite error where fewer
    than 3 stars can be compared.
    """
    mine, theirs = np.asarray(pairs, np.intp).reshape(-1, 2).T
    usable = ~(stars.saturated[mine] | reference.saturated[theirs])
    usable &= (stars.flux_adu[mine] > 0) & (reference.flux_adu[theirs] > 0)
    mine, theirs = mine[usable], theirs[usable]
    if len(mine) < _FEWEST_PAIRS:
        return expected, math.inf
    flux, known = stars.flux_adu[mine], reference.flux_adu[theirs]
    ratio = flux / known
    spread = np.maximum(
        _relative_error(stars.flux_error_adu[mine], reference.flux_error_adu[theirs], flux, known), 1e-6
    )
    worth = 1 / spread**2
    middle = _weighted_median(ratio, worth)
    excess = max(1.0, 1.4826 * float(np.median(np.abs(ratio / middle - 1) / spread)))
    return middle, middle * excess * _MEDIAN_EFFICIENCY / math.sqrt(float(worth.sum()))


def _relative_error(error: Float64, known_error: Float64, flux: Float64, known: Float64) -> Float64:
    """Of each star's ratio, relative to its best brightness from both subs.

    The best brightness knows nothing of the ratio; either flux alone would give weight to stars whose noise
    went its way, and bias the median by 0.5 % for 20 stars of SNR 20.
    """
    level = float(np.median(flux / known))
    mine, theirs = np.maximum(error / level, 1e-9), np.maximum(known_error, 1e-9)
    best = (flux / level / mine**2 + known / theirs**2) / (1 / mine**2 + 1 / theirs**2)
    return np.hypot(mine, theirs) / best  # type: ignore[no-any-return]


def _weighted_median(values: Float64, weights: Float64) -> float:
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) - 0.5 * weights[order]
    return float(np.interp(0.5 * weights.sum(), share, values[order]))


def normalise(
    measured: Measured, reference: Measured, transform: Transform, t: float, size: tuple[int, int]
) -> Normalisation:
    """Fit the sub's sky minus t times the reference's, mesh by mesh, so that nebulae cancel.

    transform: sub px to reference px; size: height and width of the reference. A plane is used where it
    improves on a constant by more than 3 sigma.
    """
    sky, known = measured.background, reference.background
    x, y = (g.ravel() for g in np.meshgrid(sky.x, sky.y))
    there = transform.apply(np.column_stack([x, y]))
    height, width = size
    seen = (there >= 0).all(axis=1) & (there[:, 0] <= width - 1) & (there[:, 1] <= height - 1)
    if not seen.any():
        seen[:] = True
    x, y, there = x[seen], y[seen], there[seen]
    difference = sky.at(x, y) - t * known.at(there[:, 0], there[:, 1])
    return Normalisation(t, tuple(_level_or_plane(x, y, d) for d in difference))


def _level_or_plane(x: Float64, y: Float64, z: Float64) -> tuple[float, float, float]:
    """(b0, bx, by) of a clipped constant, or of a clipped plane where that is clearly better."""
    level = float(np.median(z))
    if len(z) < _FEWEST_NODES or np.ptp(x) == 0 or np.ptp(y) == 0:
        return level, 0.0, 0.0
    cx, cy, sx, sy = x.mean(), y.mean(), np.ptp(x), np.ptp(y)
    design = np.column_stack([np.ones_like(x), (x - cx) / sx, (y - cy) / sy])
    kept = np.ones(len(z), np.bool_)
    plane = np.zeros(3)
    for _ in range(5):
        plane = np.linalg.lstsq(design[kept], z[kept], rcond=None)[0]
        off = z - design @ plane
        inside = np.abs(off) <= _CLIP * max(1.4826 * float(np.median(np.abs(off))), 1e-9)
        if (inside == kept).all() or np.count_nonzero(inside) < _FEWEST_NODES:
            break
        kept = inside
    flat = float(z[kept].mean())
    left = float(np.square(z[kept] - design[kept] @ plane).sum())
    noise = max(left / (np.count_nonzero(kept) - 3), 1e-18)
    if float(np.square(z[kept] - flat).sum()) - left <= _PLANE_GAIN * noise:
        return flat, 0.0, 0.0
    bx, by = float(plane[1] / sx), float(plane[2] / sy)
    return float(plane[0] - bx * cx - by * cy), bx, by


def weight(t: float, sigma_adu: ArrayLike, reference_sigma_adu: ArrayLike) -> Float64:
    """(t/sigma)²·sigma_ref²: how many reference subs this one is worth, per channel.

    t counts the exposure, as in Normalisation. Channels without noise in both weigh t²; a sigma that is not
    a number weighs nothing.
    """
    sigma = np.atleast_1d(np.asarray(sigma_adu, np.float64))
    known = np.broadcast_to(np.asarray(reference_sigma_adu, np.float64), sigma.shape)
    ratio = np.divide(known, sigma, out=np.ones_like(sigma), where=sigma != 0)
    return np.nan_to_num((t * ratio) ** 2, nan=0.0, posinf=0.0)
