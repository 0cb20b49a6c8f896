"""Sizes, shapes and fluxes of stars, all stars at once on stacked cut-outs."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import sep
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Mask
from starwell.measure.luminance import TENT, TENT_VARIANCE_PX2, Luminance

_RADIUS = 12
_RING = 9.5
_CROP = 8
_ZOOM = 4
_FWHM_PER_SIGMA = math.sqrt(8 * math.log(2))
_HFR_PER_SIGMA = math.sqrt(2 * math.log(2))
_COLOUR_WINDOW = 1.8  # a colour sampled every 2 px leans to its samples in a narrower one
_WIDEST_WINDOW = 2.6  # its aperture of 4 sigma stays inside the cut-out
_UNDERSAMPLED_FWHM = 2.5  # below it a window on bare samples leans to the pixel centre
_FLUX_FLOOR = 0.01  # of the flux: what seeing and flats do to every star
_REACH = 1.7  # FWHM: beyond it the weight of the moments is nothing
_ROUNDS = 8  # each halves what is missing
_ASTRAY = 2.0
_GROWTH = (0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.5)  # FWHM
_FINE = 3  # parts of an edge pixel's side
_SHAPE_STARS = 100
_SHAPE_SNR = 20.0

_DY, _DX = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1].astype(np.float32)
_R = np.hypot(_DX, _DY)
_FINE_PLACE = (np.arange(_ZOOM * (2 * _CROP + 1)) + 0.5) / _ZOOM - 0.5 - _CROP
_FINE_R = np.hypot(_FINE_PLACE[:, None], _FINE_PLACE).ravel()
_SUMMIT, _AROUND = np.flatnonzero(_FINE_R <= 2.0), _FINE_R <= _CROP


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """Measured stars (n,): positions, fwhm and hfr in sensor px, fluxes and peaks in ADU.

    moments (n, 3): x², y², xy in px². whole_share: how many of the brightest were whole at this scale.
    """

    x: Float64
    y: Float64
    flux: Float64
    error: Float64
    peak: Float64
    snr: Float64
    fwhm: Float64
    hfr: Float64
    moments: Float64
    saturated: Mask
    factor: int = 1
    whole_share: float = 0.0

    @property
    def count(self) -> int:
        """How many."""
        return len(self.x)

    @staticmethod
    def none(factor: int = 1) -> Profiles:
        """No stars."""
        empty = np.empty(0)
        none = np.empty(0, np.bool_)
        return Profiles(
            empty, empty, empty, empty, empty, empty, empty, empty, np.empty((0, 3)), none, factor
        )

    def where(self, choice: Mask | NDArray[np.intp], whole_share: float | None = None) -> Profiles:
        """The chosen stars, in the order of the choice."""
        kept = {f.name: getattr(self, f.name)[choice] for f in fields(self)[:10]}
        return replace(self, **kept, whole_share=self.whole_share if whole_share is None else whole_share)

    @property
    def good(self) -> Mask:
        """Which show size and shape well: bright, and not saturated."""
        return ~self.saturated & (self.snr > _SHAPE_SNR)

    @property
    def elongation(self) -> Float64:
        """Major over minor axis of each star; one that noise left without a size counts as round."""
        x2, y2, xy = self.moments.T
        half, spread = (x2 + y2) / 2, np.hypot((x2 - y2) / 2, xy)
        least = 1e-3
        ratio = np.maximum(half + spread, least) / np.maximum(half - spread, least)
        return np.sqrt(ratio)  # type: ignore[no-any-return]


def profiles(view: Luminance, x: Float64, y: Float64, sigma_adu: float, saturation_adu: float) -> Profiles:
    """Measure the stars near x, y (px of the view), whose noise per px is sigma_adu.

    FWHM = 2·sqrt(area above half peak / π) on a 4× cubic zoom; HFR the radius of half the flux; positions
    are Gaussian-windowed centroids; flux within 1.5 median FWHM. Stars that the centroid leaves go.
    """
    if len(x) == 0:
        return Profiles.none(view.factor)
    cut = view.patches(x, y, _RADIUS)
    cut -= _level_around(cut)[:, None, None]
    fwhm = _fwhm(cut)
    typical = _middle_mean(fwhm)
    cx, cy, near = _centroids(cut, x, y, typical, _COLOUR_WINDOW if view.mosaic else 0.6)
    cut = cut[near]
    fwhm, x, y, cx, cy = (v[near] for v in (fwhm, x, y, cx, cy))
    if len(x) == 0:
        return Profiles.none(view.factor)
    stack, row = _stacked(cut)
    hfr = _half_flux(stack, cx, cy + row, fwhm)
    aperture = min(1.5 * typical, _RADIUS - 0.5)
    flux, _, _ = sep.sum_circle(stack, cx, cy + row, np.full(len(x), aperture), subpix=5)
    sky_noise = sigma_adu * math.sqrt(math.pi) * aperture
    peak = view.raw_patches(x, y, 2).max(axis=(1, 2)).astype(np.float64)
    sx, sy = (view.factor * (np.rint(p) - _RADIUS + c + 0.5) - 0.5 for p, c in ((x, cx), (y, cy)))
    sky = view.sky.at(sx, sy).mean(axis=0)
    shot = np.maximum(flux, 0) * sigma_adu**2 / np.maximum(sky, sigma_adu)
    area = view.factor**2
    unsmooth = TENT_VARIANCE_PX2 if view.mosaic else 0.0
    small = typical < _UNDERSAMPLED_FWHM and not view.mosaic
    moments = _moments(_softened(cut) if small else cut, cx, cy, fwhm)
    moments[:, :2] -= TENT_VARIANCE_PX2 if small else unsmooth
    return Profiles(
        x=sx,
        y=sy,
        flux=flux * area,
        error=np.sqrt(sky_noise**2 + shot + (_FLUX_FLOOR * flux) ** 2) * area,
        peak=peak,
        snr=flux / max(sky_noise, 1e-9),
        fwhm=view.factor * np.sqrt(np.maximum(fwhm**2 - unsmooth * _FWHM_PER_SIGMA**2, 0.0)),
        hfr=view.factor * np.sqrt(np.maximum(hfr**2 - unsmooth * _HFR_PER_SIGMA**2, 0.0)),
        moments=area * moments,
        saturated=peak + sky >= saturation_adu,
        factor=view.factor,
    )


def _stacked(cut: Float32) -> tuple[Float32, Float64]:
    """The cut-outs below one another, and the row at which each begins."""
    side = cut.shape[1]
    return np.ascontiguousarray(cut.reshape(-1, side)), np.arange(len(cut), dtype=np.float64) * side


def _level_around(cut: Float32) -> Float32:
    """Median of each cut-out beyond the ring; sorted, which is several times as quick as numpy's median."""
    ordered = np.sort(cut[:, _RING < _R], axis=1)
    middle = ordered.shape[1] // 2
    level: Float32 = ordered[:, middle - 1 : middle + 1].mean(axis=1)
    return level


def _softened(cut: Float32) -> Float32:
    """The cut-outs under the tent, which adds TENT_VARIANCE_PX2 to every profile."""
    soft: Float32 = cv2.sepFilter2D(cut.reshape(-1, cut.shape[2]), -1, TENT, TENT)
    return soft.reshape(cut.shape)


def _fwhm(cut: Float32) -> Float64:
    middle = slice(_RADIUS - _CROP, _RADIUS + _CROP + 1)
    side = 2 * _CROP + 1
    small = np.ascontiguousarray(cut[:, middle, middle]).reshape(-1, side)
    fine = cv2.resize(small, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_CUBIC)
    fine = fine.reshape(len(cut), -1)
    peak = fine[:, _SUMMIT].max(axis=1)
    above = (fine > peak[:, None] / 2) & _AROUND
    area = cv2.reduce(above.view(np.uint8), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() / _ZOOM**2
    return 2 * np.sqrt(area / math.pi)  # type: ignore[no-any-return]


def _middle_mean(values: Float64) -> float:
    """Mean of the middle half: the median of counted pixels goes by steps, which fluxes would show."""
    ordered = np.sort(values)
    quarter = len(ordered) // 4
    return float(ordered[quarter : len(ordered) - quarter].mean())


def _half_flux(stack: Float32, x: Float64, y: Float64, fwhm: Float64) -> Float64:
    """The radius of half the flux that lies within 3 FWHM, from the curve of growth, taken as even in r²."""
    whole = np.clip(3 * fwhm, 5, _RADIUS - 0.5)
    radii = np.array([0 * whole, *(np.minimum(step * fwhm, whole) for step in _GROWTH), whole])
    flux = np.zeros(radii.shape)
    flux[1:] = sep.sum_circle(stack, x, y, radii[1:], subpix=_FINE)[0]
    outer = 1 + np.argmax(flux[1:] >= flux[-1] / 2, axis=0)
    stars = np.arange(len(x))
    inside, outside = flux[outer - 1, stars], flux[outer, stars]
    least, most = radii[outer - 1, stars] ** 2, radii[outer, stars] ** 2
    rise = outside - inside
    share = np.divide(flux[-1] / 2 - inside, rise, out=np.ones_like(rise), where=rise > 0)
    return np.sqrt(least + np.clip(share, 0, 1) * (most - least))  # type: ignore[no-any-return]


def _centroids(
    cut: Float32, x: Float64, y: Float64, fwhm: float, narrowest: float
) -> tuple[Float64, Float64, Mask]:
    """Windowed centroids inside the cut-outs, and which of them stayed by their star."""
    stack, row = _stacked(_softened(cut) if fwhm < _UNDERSAMPLED_FWHM else cut)
    x0, y0 = (p - np.rint(p) + _RADIUS for p in (x, y))
    window = np.full(len(x), min(max(fwhm / _FWHM_PER_SIGMA, narrowest), _WIDEST_WINDOW))
    cx, cy, _ = sep.winpos(stack, x0, y0 + row, window, subpix=2)  # at 4 sigma finer means nothing
    cy = cy - row
    return cx, cy, np.hypot(cx - x0, cy - y0) < max(1.5, fwhm / 2)


def _moments(cut: Float32, x: Float64, y: Float64, fwhm: Float64) -> Float64:
    """x², y², xy of the Gaussian that, as a weight, finds itself: adaptive moments (Bernstein & Jarvis 2002).

    x, y: centres in the cut-outs. Of a Gaussian weighed by itself half the moments are seen. Moments above an
    outline would go by whole pixels, and draw small stars out by up to a quarter.
    """
    radius = int(np.clip(math.ceil(_REACH * float(np.median(fwhm))), 4, _RADIUS))
    middle = slice(_RADIUS - radius, _RADIUS + radius + 1)
    light = cut[:, middle, middle].reshape(len(cut), -1)
    dx, dy = (d[middle, middle].ravel() for d in (_DX, _DY))
    powers = np.stack([np.ones_like(dx), dx, dy, dx * dx, dy * dy, dx * dy])
    mx, my = x - _RADIUS, y - _RADIUS
    x2 = y2 = np.maximum(fwhm / _FWHM_PER_SIGMA, 0.5) ** 2
    xy = np.zeros_like(x2)
    for _ in range(_ROUNDS):
        p, q, r = np.array([y2, x2, -xy]) / (x2 * y2 - xy * xy)
        weight = np.stack(
            [
                -(p * mx * mx + q * my * my) / 2 - r * mx * my,
                p * mx + r * my,
                q * my + r * mx,
                -p / 2,
                -q / 2,
                -r,
            ]
        )
        seen = light * np.exp(weight.T.astype(np.float32) @ powers)
        sums = (seen @ powers.T).astype(np.float64).T
        mx, my, x2, y2, xy = sums[1:] / np.maximum(sums[0], 1e-6)
        mx, my = np.clip(mx, -_ASTRAY, _ASTRAY), np.clip(my, -_ASTRAY, _ASTRAY)
        x2, y2 = (np.clip(2 * v, 0.1, radius**2) for v in (x2 - mx * mx, y2 - my * my))
        most = 0.98 * np.sqrt(x2 * y2)
        xy = np.clip(2 * (xy - mx * my), -most, most)
    return np.column_stack([x2, y2, xy])


def shape_of_field(stars: Profiles) -> tuple[float, float, float, float]:
    """FWHM and HFR (medians, px), eccentricity and angle (degrees) of the brightest well-seen stars.

    The eccentricity is that of the field tensor: the median moments of many stars, whose noise does not
    add up to an elongation as the mean of single eccentricities does.
    """
    good = np.flatnonzero(stars.good)
    if len(good) == 0:
        good = np.flatnonzero(~stars.saturated)
    if len(good) == 0:
        good = np.arange(stars.count)
    good = good[:_SHAPE_STARS]
    x2, y2, xy = np.median(stars.moments[good], axis=0)
    half, spread = (x2 + y2) / 2, math.hypot((x2 - y2) / 2, xy)
    eccentricity = math.sqrt(min(1.0, 2 * spread / (half + spread))) if half + spread > 0 else 0.0
    angle = math.degrees(0.5 * math.atan2(2 * xy, x2 - y2))
    return float(np.median(stars.fwhm[good])), float(np.median(stars.hfr[good])), eccentricity, angle
