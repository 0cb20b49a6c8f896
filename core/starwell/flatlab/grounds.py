"""What a verdict rests on, and how many frames it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, log

import numpy as np

from starwell.flatlab.deficits import SIGMAS, Counts, Ratio
from starwell.flatlab.gate import Gate

APART = 1.3
"""Gains, light levels or exposures closer than this factor tell nothing apart."""

_TARGET_PART, _TARGET_E = 0.3, 2.0


@dataclass(frozen=True, slots=True)
class Frames:
    """How many frames each set has, and what noise they leave: for the sum of how many more it takes."""

    low: int
    dark: int
    level_e: float
    dark_noise_e: float

    @property
    def sigma_e(self) -> float:
        """Error of a pixel's deficit."""
        read = self.dark_noise_e**2
        return float(np.sqrt((self.level_e + read) / self.low + read / self.dark))

    @property
    def least_e(self) -> float:
        """The smallest deficit of a single pixel that is found beyond doubt."""
        return SIGMAS * self.sigma_e

    @property
    def target_e(self) -> float:
        """The deficit that must not be missed: 30 % of the light, or 2 e- where that is more."""
        return max(_TARGET_PART * self.level_e, _TARGET_E)

    def needed(self) -> int:
        """Dim flats, with at least as many darks, that find the target."""
        s2 = (self.target_e / SIGMAS) ** 2
        together = (self.level_e + 2 * self.dark_noise_e**2) / s2
        rest = s2 - self.dark_noise_e**2 / self.dark
        alone = (self.level_e + self.dark_noise_e**2) / rest if rest > 0 else float("inf")
        # as many darks as dim flats, or those there are where they are more
        return ceil(alone if alone <= self.dark else together)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict rests on.

    counts: of all frames. bright_ratio: the bright flats' light over the dim ones'. foreign_dark: why, by the
    headers, the darks are not theirs. weak: pixels of low sensitivity in the bright flat. by_level: L/L0 ->
    ratio of deficits. by_time: t'/t and the ratio at the same charge. by_gain: K'/K and the ratio.
    without_light: ratio in frames with the panel off. hot_share: of the flagged pixels, warm in the dark.
    confirmed: sigmas of the mean deficit in frames that did not select it. improvement: upper end at 99 % of
    what the better method takes from the total FPN. mended: rms of the flagged pixels after the additive
    correction over that after the bright flat.
    """

    gate: Gate
    counts: Counts
    weak: Counts
    frames: Frames
    bright_ratio: float
    foreign_dark: str = ""
    by_level: Mapping[float, Ratio] = field(default_factory=dict)
    by_time: tuple[float, Ratio] | None = None
    by_gain: tuple[float, Ratio] | None = None
    without_light: Ratio | None = None
    hot_share: float = 0.0
    confirmed: float = 0.0
    improvement: float = 0.0
    mended: float | None = None

    @property
    def growth(self) -> float | None:
        """Exponent of the deficit in the light, from the level farthest off: 0 saturated, 1 proportional."""
        if not self.by_level:
            return None
        level = max(self.by_level, key=lambda times: abs(log(times)))
        return log(max(self.by_level[level].value, 1e-3)) / log(level)
