"""Neutral sky and grey stars: the two assumptions that give a display its colours without a catalogue."""

from __future__ import annotations

import re

import cv2
import numpy as np

from starwell.frame import Float32, Float64, Mask

_FEWEST_STARS = 8
_STAR_SIGMA = 10.0
_LARGEST_FACTOR = 4.0
_SATURATED_SHARE = 0.85

_LINE_FILTER = re.compile(
    r"\bh[-_ ]?(a|alpha|b|beta|α|β)\b|\b[osn][-_ ]?(i{2,3}|2|3)\b|narrow|dual|duo|tri-?band|quad-?band"
    r"|extreme|ultimate|enhance|nbz|alp-?t|\bl[-_ ]?(ext|ult|enh)|\b\d+ ?nm\b|\bs?ho[os]?\b",
    re.IGNORECASE,
)


def suits(filter_name: str | None) -> bool:
    """Whether neutral colours make sense behind this filter: not for narrowband and dual-band ones."""
    return filter_name is None or _LINE_FILTER.search(filter_name) is None


def star_fluxes(rgb: Float32, valid: Mask, saturation_adu: float) -> Float64:
    """Fluxes (n, 3) of star-like peaks of 3×H×W, brightest first: mean of 3×3 less mean of 15×15 px.

    That difference is linear, so the ratios of the channels are those of the star even on a nebula.
    Peaks near saturation, near pixels that are not valid, and below 10 sigma are left out.
    """
    sharp = np.stack([cv2.blur(p, (3, 3)) - cv2.blur(p, (15, 15)) for p in rgb])
    grey = sharp.mean(axis=0)
    sample = grey[valid]
    if sample.size == 0:
        return np.empty((0, 3))
    sigma = 1.4826 * float(np.median(np.abs(sample[:: max(1, sample.size // 65536)])))
    peaks = (grey >= cv2.dilate(grey, np.ones((5, 5), np.uint8))) & (grey > max(_STAR_SIGMA * sigma, 0.0))
    peaks &= cv2.erode(valid.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    peaks &= cv2.dilate(rgb.max(axis=0), np.ones((3, 3), np.uint8)) < _SATURATED_SHARE * saturation_adu
    fluxes = sharp[:, peaks].T.astype(np.float64)
    return fluxes[np.argsort(-fluxes.sum(axis=1), kind="stable")]


def white_balance(fluxes: Float64) -> tuple[float, float, float]:
    """Factors for R, G, B, the least of them 1, that make the median star grey.

    fluxes (n, 3), any unit; the median is weighted with the flux, capped so that no star rules alone.
    (1, 1, 1) with fewer than 8 stars seen in all channels.
    """
    seen = fluxes[(fluxes > 0).all(axis=1)]
    if len(seen) < _FEWEST_STARS:
        return (1.0, 1.0, 1.0)
    total = seen.sum(axis=1)
    weights = np.minimum(total, np.quantile(total, 0.9))
    logs = np.log(seen[:, 1:2] / seen)
    factors = np.exp([_weighted_median(logs[:, c], weights) for c in range(3)])
    red, green, blue = np.minimum(factors / factors.min(), _LARGEST_FACTOR)
    return float(red), float(green), float(blue)


def neutralise(rgb: Float32, skies_adu: tuple[float, ...], factors: tuple[float, float, float]) -> None:
    """In place: every channel of 3×H×W to the mean sky level, times its factor above the sky."""
    pedestal = sum(skies_adu) / len(skies_adu)
    for plane, sky, factor in zip(rgb, skies_adu, factors, strict=True):
        plane *= np.float32(factor)
        plane += np.float32(pedestal - factor * sky)


def _weighted_median(values: Float64, weights: Float64) -> float:
    """The value at which half of the weight is reached."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(reached, reached[-1] / 2)])
