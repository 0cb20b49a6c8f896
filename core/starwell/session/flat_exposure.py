"""How long to expose a flat in a light that changes: estimated before the first, corrected after each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median

import numpy as np

from starwell.errors import CameraError
from starwell.frame import Exposure, Frame, sampled
from starwell.session.plan import Flats

_TRIALS = 6
_NEAR = 0.2
"""A level within this share of the wanted one is good enough to begin with."""

_MOST = 8.0
"""A trial's level is trusted for steps of the exposure up to this factor."""

_SATURATED = 0.95

Key = tuple[str | None, float | None, float | None, int]


class NoFlats(CameraError):
    """The light is too bright or too faint for flats of this filter."""


class FlatExposures:
    """Exposures of the flats of a night. trial: takes a frame that is not kept."""

    def __init__(self, flats: Flats, trial: Callable[[Exposure], Frame]) -> None:
        self._flats = flats
        self._trial = trial
        self._next: dict[Key, float] = {}
        self._used: dict[Key, list[float]] = {}

    def of_flat(self, exposure: Exposure) -> Exposure:
        """The flat with its seconds; NoFlats where no exposure within the plan's limits gives its level."""
        key = _key(exposure)
        if key not in self._next:
            self._next[key] = self._estimate(exposure)
        return replace(exposure, seconds=self._next[key])

    def of_dark_flat(self, exposure: Exposure) -> Exposure:
        """A dark flat as long as its flats were; NoFlats where there are none."""
        used = self._used.get(_key(exposure))
        if not used:
            raise NoFlats("There are no flats of this night that these dark flats could belong to.")
        return replace(exposure, seconds=round(median(used), 3))

    def took(self, asked: Exposure, frame: Frame) -> None:
        """A flat was taken: the next one's exposure follows the light."""
        seconds = asked.seconds
        if seconds is None:
            return
        key = _key(asked)
        self._used.setdefault(key, []).append(seconds)
        if key in self._next:
            self._next[key] = self._corrected(seconds, _level(frame))

    def _estimate(self, exposure: Exposure) -> float:
        flats = self._flats
        seconds = min(max(1.0, flats.shortest_s), flats.longest_s)
        level = 0.0
        for _ in range(_TRIALS):
            level = _level(self._trial(replace(exposure, seconds=seconds)))
            if abs(level / flats.level - 1) <= _NEAR:
                return self._corrected(seconds, level)
            corrected = self._corrected(seconds, level)
            if corrected == seconds:
                break
            seconds = corrected
        dark = level < flats.level
        limit, word = (flats.longest_s, "faint") if dark else (flats.shortest_s, "bright")
        step = "Light the panel brighter" if dark else "Dim the panel, or wait for a darker sky"
        raise NoFlats(
            f"The light is too {word} for flats: {limit:g} s give {level:.0%} of full scale, and "
            f"{flats.level:.0%} are wanted. {step}, or change shortest_s and longest_s of [flats]."
        )

    def _corrected(self, seconds: float, level: float) -> float:
        if level >= _SATURATED:
            factor = 1 / _MOST
        else:
            factor = min(max(self._flats.level / max(level, 1e-6), 1 / _MOST), _MOST)
        return round(min(max(seconds * factor, self._flats.shortest_s), self._flats.longest_s), 3)


def _level(frame: Frame) -> float:
    """The median as a share of full scale."""
    return float(np.median(sampled(frame.pixels))) / frame.facts.saturation_adu


def _key(exposure: Exposure) -> Key:
    return exposure.filter, exposure.gain, exposure.offset, exposure.bin
