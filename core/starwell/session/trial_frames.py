"""Simple frames of any size, quickly made: noise, stars and a drift, for trials of speed and memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from starwell.calibration.master import Master, Masters
from starwell.frame import Bayer, Exposure, Facts, Float32, Float64, Frame, Kind

OFFSET_ADU = 500.0
_SKY_ADU, _SIGMA_ADU = 800.0, 25.0
_STARS, _REACH, _SIGMA_PX, _MARGIN_PX = 600, 7, 1.27, 120
_DRIFT_PX = (-2.1, 3.3)


@dataclass(slots=True)
class TrialFrames:
    """Lights of one field, numbered from 1, and their masters; the same for the same size."""

    size: tuple[int, int]
    bayer: Bayer | None = None
    stars: int = _STARS
    _noise: Float32 = field(init=False)
    _stars: Float64 = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.size[0])
        self._noise = rng.standard_normal(self.size, np.float32)
        self._noise *= _SIGMA_ADU
        self._noise += OFFSET_ADU + _SKY_ADU
        places = [rng.uniform(_MARGIN_PX, n - _MARGIN_PX, self.stars) for n in self.size]
        self._stars = np.array([*places, 20_000 * rng.pareto(1.2, self.stars).clip(0.05, 1.5)])

    @property
    def facts(self) -> Facts:
        """What all of them have in common."""
        return Facts(
            self.size, Exposure(seconds=20.0, gain=100.0), camera="Trial", egain=0.8, bayer=self.bayer
        )

    def light(self, number: int) -> Frame:
        """Sub `number`: the same noise from another row on, under drifted stars."""
        pixels = np.roll(self._noise, 37 * number, axis=0)
        offsets = np.arange(-_REACH, _REACH + 1)
        drifted = self._stars + number * np.array([[*_DRIFT_PX, 0.0]]).T
        for y, x, peak in drifted.T:
            row, column = round(y), round(x)
            rows, columns = (
                np.exp(-(((n + offsets - at) / _SIGMA_PX) ** 2) / 2) for n, at in ((row, y), (column, x))
            )
            star = (peak * rows[:, None] * columns).astype(np.float32)
            pixels[row - _REACH : row + _REACH + 1, column - _REACH : column + _REACH + 1] += star
        return Frame(replace(self.facts, number=number), np.rint(pixels, out=pixels).astype(np.uint16))

    def masters(self) -> Masters:
        """A dark and a flat of their own noise."""
        rng = np.random.default_rng(self.size[1])
        dark, flat = (rng.standard_normal(self.size, np.float32) for _ in range(2))
        dark += OFFSET_ADU
        flat *= np.float32(1e-3)
        flat += 1
        return Masters(dark=self._master(Kind.DARK, dark), flat=self._master(Kind.FLAT, flat))

    def _master(self, kind: Kind, pixels: Float32) -> Master:
        exposure = replace(self.facts.exposure, kind=kind)
        return Master(kind, pixels, replace(self.facts, exposure=exposure), float(np.median(pixels)))
