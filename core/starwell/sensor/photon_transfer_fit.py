"""The fits of photon transfer: variance against light, light against exposure, dark charge against time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from starwell.frame import Float64, Mask
from starwell.sensor.photon_transfer_levels import Level

FIT_TO = 0.7
"""Part of saturation up to which variance against light is taken for a straight line (EMVA 1288)."""
LINEAR_FROM, LINEAR_TO = 0.05, 0.95
MOST_AT_A_RAIL = 1e-4
"""Share of samples at a rail above which a level is left out."""

_FALLEN = 0.9
_NEAR_RAIL = 0.85
_PILED = 0.02


class Line(NamedTuple):
    """y = intercept + slope·x with the slope's standard error."""

    slope: float
    error: float
    intercept: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """The photon-transfer curve, point by point: (levels·planes,), native ADU.

    light_adu: above the pedestal, or the level itself where that is unknown (above_pedestal is False).
    shot_adu2: variance less that of the dark. sigma_adu2: error of the variance. used: taken for the fit.
    """

    light_adu: Float64
    shot_adu2: Float64
    sigma_adu2: Float64
    usable: Mask
    used: Mask
    above_pedestal: bool


def curve(flats: list[Level], dark_variance: Float64 | None, saturation_adu: float | None) -> Curve:
    """All levels and planes as points; only pairs make one.

    dark_variance: (planes,), None where it or the pedestal is unknown: then the line keeps an intercept.
    saturation_adu: light at which the sensor saturates.
    """
    known = dark_variance is not None
    rows = [level for level in flats if level.pairs]
    light = np.array([level.light_adu if known else level.mean_adu for level in rows]).ravel()
    variance = np.array([level.variance_adu2 for level in rows]).ravel()
    inverse = np.array([level.inverse for level in rows]).ravel()
    dark = np.zeros_like(variance) if dark_variance is None else np.tile(dark_variance, len(rows)) * inverse
    samples = np.array([np.full(len(level.mean_adu), level.pixels) for level in rows]).ravel()
    sigma = variance * np.sqrt(2 / samples)
    clean = np.array([[level_is_clean(level)] * len(level.mean_adu) for level in rows]).ravel()
    clean &= ~past_the_top(light, variance)
    used = clean.copy()
    if saturation_adu is not None and (clean & (light <= FIT_TO * saturation_adu)).any():
        used &= light <= FIT_TO * saturation_adu
    return Curve(light, variance - dark, sigma, clean, used, known)


def level_is_clean(level: Level) -> bool:
    """Whether next to no sample lies at a rail."""
    return max(level.floor_share, level.rail_share) <= MOST_AT_A_RAIL


def past_the_top(light: Float64, variance: Float64) -> Mask:
    """Points brighter than the one of the largest variance, whose own has fallen: saturated (EMVA 1288)."""
    if not len(light):
        return np.zeros(0, np.bool_)
    top = int(np.argmax(variance))
    past: Mask = (light > light[top]) & (variance < _FALLEN * variance[top])
    return past


def through_origin(points: Curve) -> Line:
    """Weighted slope of the shot noise against the light, with the origin."""
    x, y, w = _weighted(points)
    slope = float(np.sum(w * x * y) / np.sum(w * x * x))
    return Line(slope, _error(w, y - slope * x, 1) / float(np.sqrt(np.sum(w * x * x))))


def with_intercept(points: Curve) -> Line:
    """Weighted straight line where the variance without light is unknown."""
    x, y, w = _weighted(points)
    centre, middle = np.average(x, weights=w), np.average(y, weights=w)
    spread = float(np.sum(w * np.square(x - centre)))
    slope = float(np.sum(w * (x - centre) * (y - middle)) / spread)
    rest = y - middle - slope * (x - centre)
    return Line(slope, _error(w, rest, 2) / float(np.sqrt(spread)), float(middle - slope * centre))


def _weighted(points: Curve) -> tuple[Float64, Float64, Float64]:
    used = points.used
    return points.light_adu[used], points.shot_adu2[used], points.sigma_adu2[used] ** -2.0


def _error(weights: Float64, rest: Float64, taken: int) -> float:
    """Factor on the expected error: what the scatter about the line says, never less than the counting."""
    free = len(rest) - taken
    return max(1.0, float(np.sqrt(np.sum(weights * rest * rest) / free))) if free > 0 else 1.0


def bend(points: Curve, line: Line) -> float | None:
    """Relative difference of the slopes of the brighter and the darker half; None of too few levels."""
    order = np.flatnonzero(points.used)[np.argsort(points.light_adu[points.used])]
    if len(order) < 6:
        return None
    ratio = (points.shot_adu2[order] - line.intercept) / points.light_adu[order]
    weight = (points.light_adu[order] / points.sigma_adu2[order]) ** 2
    half = len(order) // 2
    low = np.average(ratio[:half], weights=weight[:half])
    high = np.average(ratio[half:], weights=weight[half:])
    noise = float(np.hypot(*(1 / np.sqrt(part.sum()) for part in (weight[:half], weight[half:]))))
    difference = float(high - low)
    return difference / line.slope if abs(difference) > 4 * noise else 0.0


class Saturation(NamedTuple):
    """Light at which the sensor saturates, and whether a set went there (or within 15 % of the rail)."""

    light_adu: float
    reached: bool


def saturation(flats: list[Level], rail_adu: float, pedestal_adu: Float64) -> Saturation:
    """Where saturation lies: the level past the variance's top, or the rail where samples pile up there."""
    span = float(rail_adu - pedestal_adu.mean())
    if any(level.rail_share > _PILED for level in flats):
        return Saturation(span, reached=True)
    brightest = 0.0
    for plane in range(len(pedestal_adu)):
        rows = [level for level in flats if level.pairs]
        light = np.array([float(level.mean_adu[plane] - pedestal_adu[plane]) for level in rows])
        variance = np.array([float(level.variance_adu2[plane]) for level in rows])
        past = past_the_top(light, variance)
        if past.any():
            return Saturation(min(span, float(light[past].max())), reached=True)
        brightest = max(brightest, float(light.max(initial=0.0)))
    return Saturation(span, brightest >= _NEAR_RAIL * span)


def linearity_percent(flats: list[Level], pedestal_adu: Float64, saturation_adu: float) -> float | None:
    """EMVA 1288 linearity error: mean |deviation| from the line fitted to relative residuals, 5..95 %.

    None of fewer than three exposures in that range.
    """
    points = []
    for level in flats:
        light = float((level.mean_adu - pedestal_adu).mean())
        inside = LINEAR_FROM * saturation_adu <= light <= LINEAR_TO * saturation_adu
        if level.seconds and inside and level_is_clean(level):
            points.append((level.seconds, light))
    seconds, light_adu = np.array(points).reshape(-1, 2).T
    if len(np.unique(np.round(seconds, 6))) < 3:
        return None
    design = np.column_stack((1 / light_adu, seconds / light_adu))
    (offset, slope), *_ = np.linalg.lstsq(design, np.ones(len(light_adu)), rcond=None)
    line = offset + slope * seconds
    return float(100 * np.mean(np.abs(light_adu / line - 1)))


def slope_in_time(seconds: Float64, values: Float64, sigma: Float64) -> Line | None:
    """Weighted slope against time; None of fewer than two times."""
    if len(np.unique(seconds)) < 2:
        return None
    everything = np.ones(len(seconds), np.bool_)
    return with_intercept(Curve(seconds, values, sigma, everything, everything, above_pedestal=False))
