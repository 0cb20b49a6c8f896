"""What each pixel lacks at low light beside what its bright flat lets expect, and what of it is noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from starwell.calibration.low_light_levels import Ratios, levelled
from starwell.flatlab.sums import Sums
from starwell.frame import Facts, Float32, Float64, Mask, Planes

SIGMAS = 5.0
"""A pixel is flagged beyond this many sigmas: 0.3 of a million by chance."""
BY_CHANCE = 2.87e-7
"""One tail of a Gaussian beyond SIGMAS."""

_STEADY = 0.2
_NOISY_SIGMAS = 6.0
_LEAST_FLAT = 0.1
_FULL_SIGMAS = 3.0

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """What all deficits are measured against.

    bright: the bright flat, mean 1 by colour, 1 where blind. blind: pixels left out, dead ones and those so
    hot that the dim flats saturate them. dead: how many see no light. bright_e: its level in e-; dark: the
    darks at the lights' settings; dark_var_e2: temporal variance of one dark, H×W, e-²; egain: e-/ADU of the
    file.
    """

    bright: Float32
    blind: Mask
    dead: int
    bright_e: float
    bright_frames: int
    dark: Sums
    dark_var_e2: Float32
    egain: float
    facts: Facts


@dataclass(frozen=True, slots=True, eq=False)
class Deficits:
    """Of one set: deficit_e and sigma_e, H×W; factor: what made its pixels even, where it was asked for."""

    level_e: float
    deficit_e: Float32
    sigma_e: Float32
    ratios: Ratios
    factor: Float32 | None = None

    @property
    def z(self) -> Float32:
        """Deficits in units of their error."""
        return self.deficit_e / self.sigma_e


def dead_pixels(bright: Float32) -> Mask:
    """Pixels that see (nearly) no light at all: nobody's low-light problem."""
    dead: Mask = ~(bright > _LEAST_FLAT)
    return dead


def full_pixels(dark: Sums, top_adu: float, light_adu: float, noise_adu: float) -> Mask:
    """Pixels so hot that light on top of their dark charge reaches the converter's end: they look cold."""
    full: Mask = dark.mean() > top_adu - light_adu - _FULL_SIGMAS * noise_adu
    return full


def noise_map(dark: Sums, egain: float) -> Float32:
    """Temporal variance of one dark in e-², pixel by pixel, in place of the dark's own.

    The sensor's, but for pixels noisier than their variance's scatter over the frames explains.
    """
    common = np.float32(dark.noise_adu2)
    assert dark.variance is not None
    limit = common * np.float32(1 + _NOISY_SIGMAS * np.sqrt(2 / max(dark.count - 1, 1)))
    own = dark.variance
    own[own <= limit] = common
    own *= np.float32(egain**2)
    return own


def light_e(bench: Bench, mean: Float32, dark: Float32) -> Float32:
    """A mean in ADU less a dark, flat-divided, e-."""
    light: Float32 = mean - dark
    light *= np.float32(bench.egain)
    light /= bench.bright
    return light


def deficits(
    bench: Bench, mean: Float32, frames: int, dark: Float32, dark_frames: int, *, factor: bool = False
) -> Deficits:
    """Deficits of a set whose mean (ADU) and dark (ADU) rest on so many frames.

    Error: s² = ((a·L + v)/N + v/N_dark)/a² + L²/(N_bright·L_bright·a), v the variance of a dark.
    """
    light = light_e(bench, mean, dark)
    factors = np.empty_like(light) if factor else None
    planes = Planes.of(bench.facts)
    levels, ratios = [], []
    for plane in planes.planes:
        view = planes.view(light, plane)
        flat, level, ratio = levelled(view, plane.step)
        if factors is not None:
            planes.view(factors, plane)[...] = _factor(flat, view, level)
        np.subtract(np.float32(level), flat, out=view)
        levels.append(level)
        ratios.append(ratio)
    light[bench.blind] = 0
    level = float(np.mean(levels))
    a, v = bench.bright, bench.dark_var_e2
    variance = (a * np.float32(max(level, 0)) + v) / np.float32(frames)
    variance += v / np.float32(dark_frames)
    variance /= a * a
    variance += np.float32(level**2 / (bench.bright_frames * bench.bright_e)) / a
    return Deficits(level, light, np.sqrt(variance, out=variance), Ratios.worst(ratios), factors)


def _factor(even: Float32, light: Float32, level: float) -> Float32:
    """What made a pixel's light even; 1 where there is too little light to tell."""
    enough = light > _STEADY * level
    factor: Float32 = np.divide(even, light, out=np.ones_like(light), where=enough)
    return factor


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """Pixels flagged in one half, and what they lack in the other: no noise is selected twice.

    at: flat indices; half: which half of the darks the measure may use. deficit_e, sigma_e: in the other
    half.
    """

    at: Index
    half: int
    deficit_e: Float64
    sigma_e: Float64


def select(halves: Sequence[Deficits], *, sign: int = 1) -> tuple[Selection, Selection]:
    """Pixels beyond SIGMAS in each half, measured in the other; sign -1: those that are too bright."""
    found = []
    for here, there in ((0, 1), (1, 0)):
        at = np.flatnonzero(sign * halves[here].z > SIGMAS)
        lost = halves[there].deficit_e.ravel()[at].astype(np.float64)
        found.append(Selection(at, there, lost, halves[there].sigma_e.ravel()[at].astype(np.float64)))
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class Counts:
    """Pixels beyond SIGMAS on either side, and how likely so many cold ones are by chance."""

    cold: int
    warm: int
    pixels: int

    @property
    def p(self) -> float:
        """Chance of so many cold pixels where as many warm ones, or a Gaussian's tail, are usual."""
        return float(poisson.sf(self.cold - 1, max(self.warm, self.chance)))

    @property
    def chance(self) -> float:
        """Pixels that a Gaussian puts beyond SIGMAS on one side."""
        return self.pixels * BY_CHANCE

    @property
    def mirrored(self) -> Counts:
        """The warm pixels' own count, by chance alone."""
        return Counts(self.warm, 0, self.pixels)

    @property
    def significant(self) -> bool:
        """Whether pixels are cold beyond doubt."""
        return self.p < 1e-6


def count(z: Float32) -> Counts:
    """The count test with its symmetric control."""
    return Counts(int(np.count_nonzero(z > SIGMAS)), int(np.count_nonzero(z < -SIGMAS)), z.size)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Mean deficit of the selected pixels elsewhere over that at L0, and its error."""

    value: float
    error: float

    def __str__(self) -> str:
        digits = 2 if self.error >= 0.01 else 3
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"

    def off(self, expected: float, slack: float) -> float:
        """How many sigmas from this value, slack being what the model itself is good for."""
        return abs(self.value - expected) / float(np.hypot(self.error, slack))


def ratio(selected: Sequence[Selection], there: Sequence[tuple[Float64, Float64]]) -> Ratio | None:
    """there: deficits and errors of the selected pixels in another set; None where nothing was selected."""
    base = sum(float(one.deficit_e.sum()) for one in selected)
    base_var = sum(float(np.square(one.sigma_e).sum()) for one in selected)
    if base == 0 or not any(one.at.size for one in selected):
        return None
    other = sum(float(d.sum()) for d, _ in there)
    other_var = sum(float(np.square(s).sum()) for _, s in there)
    value = other / base
    return Ratio(value, float(np.sqrt(other_var + value**2 * base_var)) / abs(base))


def at_selected(bench: Bench, one: Selection, mean: Float32, found: Deficits) -> tuple[Float64, Float64]:
    """Deficits and errors of the selected pixels in another set, less the half of its dark that is free.

    bench: with that set's dark and e-/ADU. found: the set's deficits less its whole dark, which gave its
    level and evenness.
    """
    at, dark = one.at, bench.dark
    assert found.factor is not None
    a = bench.bright.ravel()[at].astype(np.float64)
    light = (mean.ravel()[at] - dark.halves[one.half].ravel()[at]) * bench.egain / a
    lost = found.level_e - light * found.factor.ravel()[at]
    more = bench.dark_var_e2.ravel()[at] * (1 / dark.counts[one.half] - 1 / dark.count) / (a * a)
    return lost, np.sqrt(np.square(found.sigma_e.ravel()[at].astype(np.float64)) + more)
