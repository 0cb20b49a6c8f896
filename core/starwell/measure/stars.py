"""Stars: sought on the 2×2 bin, measured on full resolution, or coarser for defocused ones.

Where there are many small ones the summits of the bin are all of them; else SEP takes the bin apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sep

from starwell.frame import Float32, Float64, Mask
from starwell.measure.compact import bright_summits, compact_bands
from starwell.measure.halved import Halved
from starwell.measure.luminance import Index, Luminance
from starwell.measure.noise import haar_noise
from starwell.measure.profile import Profiles, profiles, shape_of_field
from starwell.measure.summits import summits

MOST_STARS = 200
FEW_STARS = 20
_CANDIDATES = 250
_LOOKED_AT = 5000
_SCALES = 5
_SMALLEST_BIN = 8
_TRIES = 8
_FEWEST_GOOD = 3
_MUCH_MORE = 10.0
_LEAST_ADU = 1.0
_PEAK_SIDE = 5  # the bin knows the peak to ± 2 px
_TOO_MUCH = ("pixel buffer", "deblending", "overflow")  # sep's words for more than it can hold
_GRID = 8
_TENT_NOISE = 0.375  # of white noise, after the tent in both directions
_ACTIVE = 12_000  # px: 400 stars of 30, of which the brightest are enough
_MOST_ACTIVE = 30_000  # where those were too few stars, or the faint ones are asked for
_LOOKS = [(5.0, _ACTIVE), (4.0, _MOST_ACTIVE)]
_EXTRACT: dict[str, Any] = {  # the plane is smoothed already
    "minarea": 5,
    "filter_kernel": None,
    "deblend_nthresh": 4,
    "deblend_cont": 0.01,
    "clean": False,
}
_ROOM = 3.0
_LARGEST_HFR = 3.5
_SMALL_HFR = 3.0
_MOSTLY_WHOLE = 0.5
_SMALLEST_FWHM_PX = 1.2
_SATURATED = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """The stars of one sub, brightest first.

    x, y (n,): sensor px. flux_adu, flux_error_adu (n,): within 1.5 FWHM, above the local sky. peak_adu (n,):
    highest pixel above the sky. saturated, star_hfr_px (n,). Of the field: fwhm_px and hfr_px (medians, pixel
    not subtracted; NaN without stars), eccentricity and angle_deg (of the major axis, x towards y) of the
    mean second moments.
    """

    x: Float64
    y: Float64
    flux_adu: Float64
    peak_adu: Float64
    fwhm_px: float
    hfr_px: float
    eccentricity: float
    angle_deg: float
    flux_error_adu: Float64
    saturated: Mask
    star_hfr_px: Float64 = field(default_factory=lambda: np.empty(0))

    @property
    def count(self) -> int:
        """How many."""
        return len(self.x)

    @property
    def xy(self) -> Float64:
        """Positions (n, 2)."""
        return np.column_stack([self.x, self.y])

    @staticmethod
    def none() -> Stars:
        """An empty sky."""
        empty = np.empty(0)
        nan = math.nan
        return Stars(empty, empty, empty, empty, nan, nan, nan, nan, empty, np.empty(0, np.bool_))


def find_stars(luminance: Luminance, *, saturation_adu: float, faint: bool = False) -> Stars:
    """Stars of a sub, at the finest scale that shows them whole.

    luminance: at factor 1. saturation_adu: on the pixels' own scale. Thresholds are 5 sigma of the smoothed
    bin, 4 where that finds fewer than 20 stars or faint is asked for. Doughnuts and long trails are measured
    on 2, 4 or 8 sensor px per px.
    """
    first = None if faint else _many_small(luminance, _SATURATED * saturation_adu)
    if first is not None:
        return _listed(first, luminance.size)
    best, view = Profiles.none(), luminance
    for _ in range(_SCALES):
        coarse = view.binned(2 * view.factor)
        if min(coarse.size) < _SMALLEST_BIN:
            break
        found = _at_scale(view, coarse, _SATURATED * saturation_adu, faint=faint)
        if _shows_more(found, best):
            best = found
        if found.count >= FEW_STARS and found.whole_share > _MOSTLY_WHOLE:
            break
        view = view.binned(coarse.factor)
    return _listed(best, luminance.size)


def _many_small(view: Luminance, saturation_adu: float) -> Profiles | None:
    """The stars of most subs: many small ones, which the bin's summits are; None where it is another sub.

    What the first look at the finest scale finds, without the bin as a whole.
    """
    threshold, most = _LOOKS[0]
    if view.pixels.ndim == 3:
        return None
    half = Halved(view.pixels)
    sigma = haar_noise(half) if min(half.shape) >= _SMALLEST_BIN else 0.0
    if not sigma > 0:
        return None
    places = bright_summits(half, threshold * _TENT_NOISE * sigma, most)
    found = None if places is None else _whole(view, places, 2 * sigma, saturation_adu, threshold)
    return found if found is not None and _plain(found) else None


def _shows_more(coarse: Profiles, fine: Profiles) -> bool:
    """Whether a coarser scale wins: by number, or by light where the finer shows but crumbs of doughnuts."""
    if coarse.count > 2 * fine.count:
        return True
    crumbs = int(np.count_nonzero(fine.good)) < _FEWEST_GOOD
    return crumbs and float(coarse.flux.sum()) > _MUCH_MORE * float(fine.flux.sum())


def _at_scale(view: Luminance, coarse: Luminance, saturation_adu: float, *, faint: bool) -> Profiles:
    """Whole stars found on `coarse` and measured on `view`, which is twice as fine."""
    assert coarse.plane is not None
    sigma = haar_noise(coarse.plane)
    smooth = coarse.plane
    _compact(smooth)
    found = Profiles.none(view.factor)
    deep = view.factor == 1  # coarser planes keep slow noise that 4 sigma would run together
    looks = _LOOKS if deep else [(5.0, _MOST_ACTIVE)]
    for threshold, active in looks[1:] if faint and deep else looks:
        bright, level = _active(smooth, sigma, threshold, active)
        if deep:
            found = _whole(view, summits(smooth, bright, level), 2 * sigma, saturation_adu, threshold)
            if _plain(found):
                break
        found = _whole(view, _peaks(smooth, level), 2 * sigma, saturation_adu, threshold)
        if found.count >= FEW_STARS:
            break
    return found


def _plain(found: Profiles) -> bool:
    """Whether these are many small stars: of others, summits are but pieces."""
    if found.count < FEW_STARS or found.whole_share <= _MOSTLY_WHOLE:
        return False
    return float(np.median(found.hfr)) <= _SMALL_HFR


def _whole(
    view: Luminance, places: tuple[Float64, Float64], sigma: float, saturation_adu: float, threshold: float
) -> Profiles:
    """Those of the stars at these places of the bin, brightest first, that are whole at the view's scale."""
    x, y = (2 * p + 0.5 for p in places)
    x, y = _free_of_the_edge(x, y, view.size)
    lonely = _isolated_pixel(view, x, y)
    x, y = x[~lonely], y[~lonely]
    chosen = _spread(x, y, view.size, _CANDIDATES)
    found = profiles(view, x[chosen], y[chosen], sigma, saturation_adu)
    found = found.where(found.snr > threshold)
    whole = (found.hfr <= _LARGEST_HFR * view.factor) & (found.fwhm >= _SMALLEST_FWHM_PX)
    return found.where(whole, whole_share=float(whole[:50].mean()) if len(whole) else 0.0)


def _compact(plane: Float32) -> None:
    """Make the plane compact in place."""
    before, waiting = plane[:0], plane[:0]  # rows are replaced when the next ones need them no more
    for first, band in compact_bands(lambda first, end: plane[first:end], len(plane)):
        before[...] = waiting
        before, waiting = plane[first : first + len(band)], band
    before[...] = waiting


def _free_of_the_edge(x: Float64, y: Float64, size: tuple[int, int]) -> tuple[Float64, Float64]:
    height, width = size
    free = (x >= _ROOM) & (y >= _ROOM) & (x <= width - 1 - _ROOM) & (y <= height - 1 - _ROOM)
    return x[free], y[free]


def _active(smooth: Float32, sigma: float, threshold: float, most: int) -> tuple[Index, float]:
    """The (up to `most`) px that stand out of the smoothed plane, flat, and the level they exceed."""
    level = threshold * _TENT_NOISE * sigma
    if not sigma > 0:  # a drawing, or nothing at all
        level = max(_LEAST_ADU, 1e-3 * float(smooth.max()))
    active = np.flatnonzero(smooth > level)
    if len(active) > most:
        light = smooth.reshape(-1)[active]
        level = float(np.partition(light, -most)[-most])
        active = active[light > level]
    return active, level


def _peaks(smooth: Float32, level: float) -> tuple[Float64, Float64]:
    """Barycentres of what stands out of the smoothed plane, brightest first."""
    for _ in range(_TRIES):
        try:
            found = sep.extract(smooth, level, **_EXTRACT)
        except Exception as fault:  # sep raises nothing more precise
            if not any(word in str(fault) for word in _TOO_MUCH):
                raise
            level *= 2
            continue
        order = np.argsort(-found["flux"], kind="stable")[:_LOOKED_AT]
        return found["x"][order], found["y"][order]
    return np.empty(0), np.empty(0)


def _isolated_pixel(view: Luminance, x: Float64, y: Float64) -> Mask:
    """Peaks that stand alone: all their neighbours together hold less than half of them.

    Of a star with FWHM 1.2 px the eight neighbours hold 1.2 peaks. On a mosaic the neighbours of the same
    colour, 2 px away, count too, for a star in H-alpha lights nothing but red pixels.
    """
    if len(x) == 0:
        return np.empty(0, np.bool_)
    reach = 2 if view.mosaic else 1
    cut = view.raw_patches(x, y, _PEAK_SIDE // 2 + reach)
    middle = cut[:, reach:-reach, reach:-reach].reshape(len(x), _PEAK_SIDE**2)
    row, column = np.divmod(middle.argmax(axis=1), _PEAK_SIDE)
    span = np.arange(2 * reach + 1)
    stars = np.arange(len(x))[:, None, None]
    around = cut[stars, (row[:, None] + span)[:, :, None], (column[:, None] + span)[:, None, :]]
    peak = middle.max(axis=1, initial=0)
    return around.sum(axis=(1, 2)) - peak < 0.5 * peak  # type: ignore[no-any-return]


def _listed(found: Profiles, size: tuple[int, int]) -> Stars:
    """The brightest, spread over the field; saturated ones only where the others are few."""
    if found.count == 0:
        return Stars.none()
    ratio = found.elongation
    found = found.where(ratio <= max(2.5, 1.5 * float(np.median(ratio))))
    if np.count_nonzero(~found.saturated) >= FEW_STARS:
        found = found.where(~found.saturated)
    found = found.where(np.argsort(-found.flux, kind="stable"))
    found = found.where(_spread(found.x, found.y, size, MOST_STARS))
    fwhm, hfr, eccentricity, angle = shape_of_field(found)
    return Stars(
        x=found.x,
        y=found.y,
        flux_adu=found.flux,
        peak_adu=found.peak,
        fwhm_px=fwhm,
        hfr_px=hfr,
        eccentricity=eccentricity,
        angle_deg=angle,
        flux_error_adu=found.error,
        saturated=found.saturated,
        star_hfr_px=found.hfr,
    )


def _spread(x: Float64, y: Float64, size: tuple[int, int], most: int) -> Index:
    """Up to `most` of stars given brightest first: the brightest of 8×8 cells, then the rest in order."""
    if len(x) <= most:
        return np.arange(len(x))
    height, width = size
    cell = np.clip(y * _GRID // height, 0, _GRID - 1) * _GRID + np.clip(x * _GRID // width, 0, _GRID - 1)
    by_cell = np.argsort(cell, kind="stable")
    starts = np.r_[0, np.flatnonzero(np.diff(cell[by_cell])) + 1]
    rank = np.empty(len(x), np.intp)
    rank[by_cell] = np.arange(len(x)) - np.repeat(starts, np.diff(np.r_[starts, len(x)]))
    return np.sort(np.argsort(rank >= most // _GRID**2, kind="stable")[:most])
