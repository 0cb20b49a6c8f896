"""Dim flats of one colour plane: each pixel's deficit, its error, and what explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.calibration.defects import DEAD_FLAT
from starwell.calibration.low_light_levels import Ratios, levelled
from starwell.calibration.low_light_mixture import Mixture, mixture
from starwell.calibration.low_light_threshold import deficit_of, thresholds
from starwell.frame import Float32, Mask

CANDIDATE = 0.5
"""A pixel more likely than this to have lost charge counts as one that has."""


@dataclass(frozen=True, slots=True, eq=False)
class LowSet:
    """The mean of so many dim flats of one level, less their dark, in e- (H×W).

    level_e: the median of mean over bright flat, or what the set is to be called by.
    """

    level_e: float
    mean_e: Float32
    frames: int


class Solved(NamedTuple):
    """Deficit and threshold (0 where none) by pixel, e-; the lowest level, the error of a deficit."""

    deficit_e: Float32
    threshold_e: Float32
    level_e: float
    noise_e: float
    mixture: Mixture
    ratios: tuple[Ratios, ...]


class DimPlane:
    """One colour plane of bright flat and dim sets (levels rising); its pixels lie step sensor px apart."""

    def __init__(
        self, bright: Float32, lows: Sequence[LowSet], step: int, read_variance_e: float, dark_frames: int
    ) -> None:
        self._blind: Mask = ~(bright >= DEAD_FLAT)
        a: Float32 = np.where(self._blind, np.float32(1), bright)
        read = np.float32(read_variance_e)
        self._levels: list[float] = []
        self._ratios: list[Ratios] = []
        self._deficits: list[Float32] = []
        self._variances: list[Float32] = []
        for low in lows:
            even, level, ratios = levelled(np.divide(low.mean_e, a, dtype=np.float32), step)
            deficit = np.subtract(np.float32(level), even, out=even)
            deficit[self._blind] = 0
            self._deficits.append(deficit)
            self._variances.append((a * np.float32(level) + read) / (np.float32(low.frames) * a * a))
            self._levels.append(level)
            self._ratios.append(ratios)
        self._dark_variance: Float32 = np.divide(read / np.float32(dark_frames), a * a, dtype=np.float32)

    def solve(self) -> Solved:
        """One deficit from all levels tells which pixels lose charge; those get a threshold from the levels.

        All levels share the error of the dark.
        """
        total, deficit = np.zeros_like(self._dark_variance), np.zeros_like(self._dark_variance)
        for of_level, variance in zip(self._deficits, self._variances, strict=True):
            total += 1 / variance
            deficit += of_level / variance
        deficit /= total
        sigma: Float32 = np.sqrt(1 / total + self._dark_variance)
        mix = mixture(deficit, sigma, max(self._levels))
        lost, likely = mix.shrunk(deficit, sigma)
        q = np.zeros_like(lost)
        if len(self._levels) > 1:
            cold = np.flatnonzero((likely > CANDIDATE) & ~self._blind)
            q.reshape(-1)[cold] = self._thresholds(cold)
            kept = deficit_of(q.reshape(-1)[cold], self._levels[0])
            lost.reshape(-1)[cold] = likely.reshape(-1)[cold] * kept
        noise = float(np.median(sigma[::3, ::3]))
        return Solved(lost, q, self._levels[0], noise, mix, tuple(self._ratios))

    def _thresholds(self, at: NDArray[np.intp]) -> Float32:
        deficits = np.array([d.reshape(-1)[at] for d in self._deficits])
        errors = np.sqrt(np.array([(v + self._dark_variance).reshape(-1)[at] for v in self._variances]))
        return thresholds(self._levels, deficits, errors)
