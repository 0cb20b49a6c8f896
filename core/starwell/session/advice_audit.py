"""Whether the masters fit the first sub: what is left of the dark and of the flat in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from starwell.frame import Float32, Float64, Mask
from starwell.session.advice_causes import Cause, Finding

_HOT_SIGMA = 6.0
"""A master dark's own noise, which is taken off every sub, does not reach so far."""
_FEWEST = 30
_CELL = 16
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
    peaks = _above_surroundings(dark)
    warm = peaks > _HOT_SIGMA * _sigma(peaks)
    if repaired is not None:
        warm &= ~repaired
    if np.count_nonzero(warm) < _FEWEST:
        return None
    rest = _above_surroundings(calibrated)
    return regression(rest[warm], peaks[warm], _sigma(rest))


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
    height, width = (n - n % _CELL for n in pixels.shape)
    cells = pixels[:height, :width].reshape(height // _CELL, _CELL, width // _CELL, _CELL)
    return np.median(cells, axis=(1, 3)).astype(np.float32)


def _above_surroundings(pixels: Float32) -> Float32:
    contiguous = np.ascontiguousarray(pixels, dtype=np.float32)
    surroundings: Float32 = cv2.medianBlur(contiguous, 5)
    return contiguous - surroundings


def fine(levels: Float64) -> Float64:
    """What is smaller than a few cells: a smooth surface taken off, then the median of the surroundings."""
    _, x, y = _plane(levels.shape)
    terms = np.column_stack([x**i * y**j for i in range(5) for j in range(5 - i)])
    fit, *_ = np.linalg.lstsq(terms, levels.ravel(), rcond=None)
    rough: Float64 = levels - (terms @ fit).reshape(levels.shape)
    from scipy.ndimage import median_filter  # large, and one audit a night needs it

    around: Float64 = median_filter(rough, size=_AROUND_CELLS, mode="reflect")
    return rough - around


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
