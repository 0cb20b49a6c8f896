"""From linear ADU to 0..1 for the eye: midtones (STF), asinh, colour-preserving asinh.

Formulas: the midtones transfer function and the screen transfer function's constants as PixInsight and
Siril use them (-2.8 sigma, sky at 0.25); asinh after Lupton et al. 2004 (PASP 116, 133); and log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from starwell.frame import Float32

SKY_SHADE = 0.25
"""Where the automatic stretch puts the sky, of 0..1."""

_SHADOWS_SIGMA = 2.8
_MAD_TO_SIGMA = 1.4826
_SKY_SHADE_ASINH = 0.15
_SMALLEST_SIGMA = 1e-6
_SMALLEST_RANGE_ADU = 1.0
_MOVED_SIGMA = 0.2
_CHANGED_SIGMA = 1.5


class Stretch(StrEnum):
    """How linear values become shades."""

    AUTO = "auto"
    ASINH = "asinh"
    LINEAR = "linear"
    LOG = "log"


class Sky(NamedTuple):
    """What a stretch is fitted to: the sky's median and MAD, and the level that 99.9 % stay below."""

    median: float
    mad: float
    top: float

    @property
    def sigma(self) -> float:
        """The sky's scatter, 1.4826 MAD."""
        return _MAD_TO_SIGMA * self.mad


def sky_of(values: Float32) -> Sky:
    """The sky of these pixel values (any shape, finite, not empty)."""
    median = float(np.median(values))
    mad = float(np.median(np.abs(values - np.float32(median))))
    return Sky(median, mad, float(np.quantile(values, 0.999)))


def mtf(midtones: float, x: Float32) -> Float32:
    """The midtones transfer function: 0 -> 0, midtones -> 0.5, 1 -> 1; x in 0..1, any shape."""
    m = np.float32(midtones)
    return np.asarray((m - 1) * x / ((2 * m - 1) * x - m), np.float32)


def _midtones(sky_shade: float, level: float) -> float:
    """The midtones balance that takes this level to this shade (the transfer function is its own dual)."""
    return (sky_shade - 1.0) * level / ((2.0 * sky_shade - 1.0) * level - sky_shade)


def stf(median: float, mad: float) -> tuple[float, float]:
    """Shadows clip c0 and midtones m that put a sky of this median and MAD (of 0..1) at 0.25."""
    sigma = max(_MAD_TO_SIGMA * mad, _SMALLEST_SIGMA)
    c0 = max(0.0, median - _SHADOWS_SIGMA * sigma)
    level = min(max((median - c0) / (1.0 - c0), _SMALLEST_SIGMA), 1.0) if c0 < 1.0 else 1.0
    return c0, _midtones(SKY_SHADE, level)


def asinh(x: Float32, softening: float) -> Float32:
    """asinh(b·x)/asinh(b): linear below 1/b, logarithmic above; x in 0..1, any shape."""
    return np.asarray(np.arcsinh(softening * x) / np.arcsinh(softening), np.float32)


def logarithm(x: Float32, softening: float) -> Float32:
    """log(1 + b·x)/log(1 + b): as asinh, but softer about 1/b; x in 0..1, any shape."""
    return np.asarray(np.log1p(softening * x) / np.log1p(softening), np.float32)


def lupton(rgb: Float32, *, q: float, alpha: float, minimum: float = 0.0) -> Float32:
    """Colour-preserving asinh of 3×H×W: the mean is stretched, the ratios of the channels are kept.

    I = mean - minimum, f = asinh(Q·alpha·I)/Q, every channel times f/I; where the brightest channel passes 1,
    all three are divided by it (Lupton et al. 2004).
    """
    above = np.maximum(rgb - np.float32(minimum), 0)
    intensity = above.mean(axis=0)
    shade = np.arcsinh(q * alpha * intensity) / q
    above *= np.divide(shade, intensity, out=np.zeros_like(intensity), where=intensity > 0)
    above /= np.maximum(above.max(axis=0), 1.0)
    return np.asarray(above, np.float32)


def softening_for(
    level: float, shade: float = _SKY_SHADE_ASINH, bend: Callable[[float], float] = np.arcsinh
) -> float:
    """The b at which bend(b·x)/bend(b) takes this level (of 0..1) to this shade; 1e-3..1e8.

    bend: asinh, or log1p.
    """
    low, high = -3.0, 8.0
    for _ in range(50):
        middle = (low + high) / 2
        b = 10.0**middle
        if bend(b * level) / bend(b) < shade:
            low = middle
        else:
            high = middle
    return float(10.0 ** ((low + high) / 2))


@dataclass(frozen=True, slots=True)
class Curve:
    """One stretch, ready to apply: black and white point in ADU, and its bend.

    knee: the midtones for AUTO, the softening b for ASINH and LOG, unused for LINEAR.
    """

    kind: Stretch
    black_adu: float
    white_adu: float
    knee: float

    def __call__(self, values: Float32) -> Float32:
        """Shades 0..1 of these ADU values, monotone, any shape."""
        x = self.normalised(values)
        np.clip(x, 0, 1, out=x)
        if self.kind is Stretch.AUTO:
            return mtf(self.knee, x)
        if self.kind is Stretch.LOG:
            return logarithm(x, self.knee)
        return asinh(x, self.knee) if self.kind is Stretch.ASINH else x

    def moved(self, black_adu: float, white: float) -> Curve:
        """The same bend, the black point so much higher and the white one lower by this part of the range."""
        if not black_adu and not white:
            return self
        low = self.black_adu + black_adu
        high = self.white_adu - white * (self.white_adu - self.black_adu)
        return replace(self, black_adu=low, white_adu=max(high, low + _SMALLEST_RANGE_ADU))

    def normalised(self, values: Float32) -> Float32:
        """Linear values with black at 0 and white at 1, not clipped."""
        return (values - np.float32(self.black_adu)) * np.float32(1.0 / (self.white_adu - self.black_adu))

    def colour(self, rgb: Float32) -> Float32:
        """Shades of 3×H×W: per channel, or for ASINH with the ratios of the channels kept.

        The brighter, the more the channels go their own way: a Bayer star's core has no true ratios, and
        white is what the eye expects there.
        """
        own = self(rgb)
        if self.kind is not Stretch.ASINH:
            return own
        q = float(np.arcsinh(self.knee))
        kept = lupton(self.normalised(rgb), q=q, alpha=self.knee / q)
        brightness = own.mean(axis=0)
        kept += brightness * (own - kept)
        return kept


def curve_for(
    kind: Stretch, sky: Sky, *, white_adu: float, window: tuple[float, float] | None = None
) -> Curve:
    """The curve that shows this sky well; window sets black and white point in ADU by hand."""
    sigma = max(sky.sigma, _SMALLEST_SIGMA * white_adu)
    foot = sky.median - _SHADOWS_SIGMA * sigma
    if window is not None:
        black, white = window
    elif kind is Stretch.LINEAR:
        black, white = foot, max(sky.top, sky.median + 10 * sigma)
    else:
        black, white = _stf_black(sky, sigma, white_adu), max(white_adu, sky.median + 10 * sigma)
    white = max(white, black + sigma)
    level = min(max((sky.median - black) / (white - black), _SMALLEST_SIGMA), 0.5)
    if kind is Stretch.AUTO:
        return Curve(kind, black, white, _midtones(SKY_SHADE, level))
    if kind is Stretch.LOG:
        return Curve(kind, black, white, softening_for(level, bend=np.log1p))
    return Curve(kind, black, white, softening_for(level) if kind is Stretch.ASINH else 1.0)


def _stf_black(sky: Sky, sigma: float, white_adu: float) -> float:
    """The STF's shadows clip in ADU; a sky at or below zero (pedestal subtracted) keeps its lower wing."""
    zero = min(0.0, sky.median - _SHADOWS_SIGMA * sigma)
    span = white_adu - zero
    c0, _ = stf((sky.median - zero) / span, sigma / _MAD_TO_SIGMA / span)
    return zero + c0 * span


def linked(curves: Sequence[Curve]) -> Curve:
    """One curve for all channels: the mean of their points and knees."""
    n = len(curves)
    return Curve(
        curves[0].kind,
        sum(c.black_adu for c in curves) / n,
        sum(c.white_adu for c in curves) / n,
        sum(c.knee for c in curves) / n,
    )


class StretchLock:
    """Holds the curves of a growing stack still, so that the picture does not flicker from sub to sub.

    They are taken anew when a channel's median moves by more than 0.2 sigma, when its sigma changes by a
    factor of 1.5 (a deeper stack bears a harder stretch), or when another stretch is asked for.
    """

    def __init__(self) -> None:
        self._curves: tuple[Curve, ...] = ()
        self._skies: tuple[Sky, ...] = ()
        self._asked: object = None

    def hold(self, curves: Sequence[Curve], skies: Sequence[Sky], asked: object = None) -> tuple[Curve, ...]:
        """The curves to use now: the held ones, or these fresh ones where the skies or the wish changed."""
        same = asked == self._asked and len(skies) == len(self._skies)
        if not (same and all(map(_alike, self._skies, skies))):
            self._curves, self._skies, self._asked = tuple(curves), tuple(skies), asked
        return self._curves


def _alike(held: Sky, fresh: Sky) -> bool:
    """Whether a sky is near enough to the held one to keep its curve."""
    if abs(fresh.median - held.median) > _MOVED_SIGMA * fresh.sigma:
        return False
    return held.sigma <= _CHANGED_SIGMA * fresh.sigma and fresh.sigma <= _CHANGED_SIGMA * held.sigma
