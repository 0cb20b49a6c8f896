"""Whether the masters fit the first sub: what is left of the dark and of the flat in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from starwell.frame import Float32, Float64, Mask
from starwell.session.advice_causes import Cause, Finding

_HOT_SIGMA = 6.0
"""A master dark's own noise, which is taken off every sub, does not reach so far."""
_FEWEST = 30
_CELL = 16
_BAND_ROWS, _STRIP_ROWS = 8 * _CELL, 16
_REACH = 2
_AROUND_CELLS = 9
_DUST = 0.003
_SURE = 5.0
_DARK_LEFT = 0.1
_FLAT_LEFT = 0.2
_VIGNETTING_LEFT = 0.4
_STEEP = 0.5


@dataclass(frozen=True, slots=True)
class Trace:
    """How much of a master is left in a sub: 0 none, 1 all of it, below 0 too much was taken out."""

    left: float
    error: float

    def beyond(self, limit: float) -> bool:
        """Whether it is more than the limit, and no chance."""
        return abs(self.left) > max(limit, _SURE * self.error)


@dataclass(frozen=True, slots=True)
class Audit:
    """What is left of the masters; None where the sub cannot tell.

    dark: from its warm pixels. dust: from the flat's small structures. vignetting: from its large ones,
    which a nebula can pretend. gradient: the sky's slope from edge to edge, against the sky.
    """

    dark: Trace | None = None
    dust: Trace | None = None
    vignetting: Trace | None = None
    gradient: float | None = None


def audit(
    calibrated: Float32,
    dark: Float32 | None = None,
    flat: Float32 | None = None,
    repaired: Mask | None = None,
) -> Audit:
    """Hold a calibrated sub against the masters it was calibrated with.

    All H×W, of one colour plane; ADU but for the flat, whose mean is 1. repaired: pixels that tell nothing.
    """
    left_of_dark = _dark(calibrated, dark, repaired) if dark is not None else None
    sky = cells(calibrated)
    level, noise = float(np.median(sky)), _sigma(sky - cv2.medianBlur(sky, 5))
    if min(sky.shape) < _AROUND_CELLS or level < _SURE * noise or level <= 0:
        return Audit(dark=left_of_dark)
    relative = sky.astype(np.float64) / level - 1
    gradient = _gradient(relative)
    if flat is None:
        return Audit(dark=left_of_dark, gradient=gradient)
    shape = cells(flat).astype(np.float64)
    shape = shape / np.median(shape) - 1
    return Audit(left_of_dark, _dust(relative, shape), _vignetting(relative, shape), gradient)


def judge(found: Audit) -> list[Finding]:
    """What the audit means, and what to do."""
    advice = []
    if found.dark is not None and found.dark.beyond(_DARK_LEFT):
        advice.append(_about_dark(found.dark))
    if found.dust is not None and found.dust.beyond(_FLAT_LEFT):
        advice.append(_about_flat("the dust", found.dust, serious=True))
    elif found.dust is None and found.vignetting is not None and found.vignetting.beyond(_VIGNETTING_LEFT):
        advice.append(_about_flat("the vignetting", found.vignetting, serious=False))
    if found.gradient is not None and found.gradient > _STEEP:
        seen = f"the sky rises by {found.gradient:.0%} of its level from edge to edge"
        step = "Look for a lamp, the Moon, or light that gets in at the focuser; cover it."
        advice.append(Finding(Cause.STRAY_LIGHT, f"Stray light: {seen}. {step}"))
    return advice


def _about_dark(trace: Trace) -> Finding:
    if trace.left > 0:
        seen = f"{trace.left:.0%} of the warm pixels' light is still in the sub"
        why = "the dark is shorter, colder or of another gain"
    else:
        seen = f"the dark takes {-trace.left:.0%} too much off the warm pixels"
        why = "the dark is longer or warmer than the sub, or the sub's level was changed"
    return Finding(Cause.MASTERS, f"Wrong dark? {seen}: {why}. Compare exposure, gain and temperature.", True)


def _about_flat(what: str, trace: Trace, *, serious: bool) -> Finding:
    if trace.left > 0:
        seen = f"{trace.left:.0%} of {what} is still in the sub"
        why = "the flat was not applied, is of another filter or angle, or stray light got into it"
    else:
        seen = f"{what} is corrected {-trace.left:.0%} too much"
        why = "light leaks into the subs, dust has moved, or the flat has no dark flat or bias"
    step = "Cover the telescope and look at a dark, then take new flats without touching the camera."
    return Finding(Cause.MASTERS, f"Wrong flat? {seen}: {why}. {step}", serious)


def _dark(calibrated: Float32, dark: Float32, repaired: Mask | None) -> Trace | None:
    limit = _HOT_SIGMA * _relief_sigma(dark)
    peaks, rest = [np.empty(0, np.float32)], [np.empty(0, np.float32)]
    for rows in _bands(len(dark)):
        peak = _above_surroundings(dark, rows)
        warm = peak > limit
        if repaired is not None:
            warm &= ~repaired[rows]
        if warm.any():
            peaks.append(peak[warm])
            rest.append(_above_surroundings(calibrated, rows)[warm])
    if sum(map(len, peaks)) < _FEWEST:
        return None
    return regression(np.concatenate(rest), np.concatenate(peaks), _relief_sigma(calibrated))


def _dust(relative: Float64, shape: Float64) -> Trace | None:
    seen, dust = fine(relative), fine(shape)
    marked = np.abs(dust) > max(_DUST, _SURE * _sigma(dust))
    if np.count_nonzero(marked) < _FEWEST:
        return None
    return regression(seen[marked], dust[marked], _sigma(seen))


def _vignetting(relative: Float64, shape: Float64) -> Trace | None:
    """The share of the flat's shape in the sky beside a plane, stars and dust clipped."""
    terms = np.column_stack([*_plane(relative.shape), shape.ravel()])
    sky, kept = relative.ravel(), np.ones(relative.size, dtype=bool)
    for _ in range(5):
        fit, *_ = np.linalg.lstsq(terms[kept], sky[kept], rcond=None)
        rest = sky - terms @ fit
        kept = np.abs(rest) < 3 * max(_sigma(rest), 1e-9)
    spread = np.linalg.inv(terms[kept].T @ terms[kept] + 1e-12 * np.eye(4))[3, 3]
    error = float(_sigma(rest) * math.sqrt(spread))
    return Trace(float(fit[3]), error) if error < _VIGNETTING_LEFT / _SURE else None


def _gradient(relative: Float64) -> float:
    """The rise of the plane through the sky from edge to edge, against its level."""
    terms = np.column_stack(_plane(relative.shape))
    low = np.clip(relative, None, np.quantile(relative, 0.9)).ravel()
    fit, *_ = np.linalg.lstsq(terms, low, rcond=None)
    return float(np.abs(fit[1]) + np.abs(fit[2]))


def _plane(shape: tuple[int, ...]) -> list[Float64]:
    """One, x and y over the frame, the latter from -1/2 to 1/2."""
    y, x = np.mgrid[-0.5 : 0.5 : shape[0] * 1j, -0.5 : 0.5 : shape[1] * 1j]
    return [np.ones(x.size), x.ravel(), y.ravel()]


def cells(pixels: Float32) -> Float32:
    """Medians of 16×16 px: stars hardly count."""
    height, width = (n // _CELL for n in pixels.shape)
    medians = np.empty((height, width), np.float32)
    for rows in _bands(height * _CELL):
        part = pixels[rows, : width * _CELL].reshape(-1, _CELL, width, _CELL)
        medians[rows.start // _CELL : rows.stop // _CELL] = np.median(part, axis=(1, 3))
    return medians


def _bands(height: int) -> list[slice]:
    return [slice(y, min(y + _BAND_ROWS, height)) for y in range(0, height, _BAND_ROWS)]


def _above_surroundings(pixels: Float32, rows: slice) -> Float32:
    """These rows above the median of each pixel's 5×5 neighbours."""
    top = max(rows.start - _REACH, 0)
    near = np.ascontiguousarray(pixels[top : rows.stop + _REACH], dtype=np.float32)
    own = slice(rows.start - top, rows.stop - top)
    above: Float32 = near[own] - cv2.medianBlur(near, 2 * _REACH + 1)[own]
    return above


def _relief_sigma(pixels: Float32) -> float:
    """Of what is above its surroundings, from a few rows in every band."""
    strips = [slice(rows.start, min(rows.start + _STRIP_ROWS, rows.stop)) for rows in _bands(len(pixels))]
    return _sigma(np.concatenate([_above_surroundings(pixels, strip) for strip in strips]))


def fine(levels: Float64) -> Float64:
    """What is smaller than a few cells: a smooth surface taken off, then the median of the surroundings."""
    _, x, y = _plane(levels.shape)
    terms = np.column_stack([x**i * y**j for i in range(5) for j in range(5 - i)])
    fit, *_ = np.linalg.lstsq(terms, levels.ravel(), rcond=None)
    rough: Float64 = levels - (terms @ fit).reshape(levels.shape)
    return rough - _median_around(rough)


def _median_around(levels: Float64) -> Float64:
    """The median of each cell's 9×9, which are mirrored at the edges."""
    padded = np.pad(levels, _AROUND_CELLS // 2, mode="symmetric")
    medians = np.empty_like(levels)
    for row in range(len(levels)):
        near = sliding_window_view(padded[row : row + _AROUND_CELLS], _AROUND_CELLS, axis=1)
        around = near.transpose(1, 0, 2).reshape(levels.shape[1], -1)
        around.partition(_AROUND_CELLS**2 // 2, axis=1)
        medians[row] = around[:, _AROUND_CELLS**2 // 2]
    return medians


def regression(seen: Float32 | Float64, of: Float32 | Float64, sigma: float) -> Trace:
    """The slope of seen over `of` through the origin by least absolute deviations: a weighted median."""
    order = np.argsort(seen / of)
    weight = np.cumsum(np.abs(of)[order], dtype=np.float64)
    left = float((seen / of)[order[int(np.searchsorted(weight, weight[-1] / 2))]])
    # The median's error is sqrt(pi/2) of the mean's.
    return Trace(
        left, math.sqrt(math.pi / 2) * sigma / math.sqrt(float(np.square(of, dtype=np.float64).sum()))
    )


def _sigma(values: Float32 | Float64) -> float:
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
