"""Shoots a schedule: set by set in turn, what is there already is left as it is, the light is checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np

from starwell.errors import CameraError, PlanError, Transient
from starwell.files.frames import FRAME_SUFFIXES, open_frame
from starwell.flatlab.schedule import PlannedSet, Schedule
from starwell.frame import Frame, sampled
from starwell.kinds import Kind

NEAR = 0.2
"""How far from its level a set's light may begin."""
DRIFT = 0.05
"""How far it may drift within a block before it is told."""

_RETRIES = 3
_TRIES = 10
_LEAST_E = 0.5


class Rig(Protocol):
    """What shooting needs of camera and user."""

    def take(self, one: PlannedSet) -> Frame:
        """The next frame of this set, on disk."""

    def trial(self, one: PlannedSet) -> Frame:
        """A frame with this set's settings that is not kept."""

    def light(self, one: PlannedSet) -> None:
        """Have panel and film put as this set wants them."""

    def dim(self, said: str, factor: float) -> bool:
        """Have the panel's brightness changed by this factor; False where nobody can."""


class Shooting:
    """One run of a schedule into a folder, a subfolder for each set. lit: how the light is put already."""

    def __init__(
        self, schedule: Schedule, folder: Path, rig: Rig, told: Callable[[str], None], *, lit: str = ""
    ) -> None:
        self._schedule, self._folder, self._rig, self._told = schedule, folder, rig, told
        self._darks: dict[tuple[float, float], float] = {}
        self._lit = lit

    def run(self) -> int:
        """Shoot what is missing; how many frames that was. CameraError where the camera fails for good."""
        taken = 0
        for one, until in self._schedule.blocks():
            there = frames_in(self._folder / one.name)
            if one.kind is Kind.DARK and there:
                self._learn(one, open_frame(there[-1]))
            missing = until - len(there)
            if missing > 0:
                self._prepare(one)
                self._block(one, missing, until)
                taken += missing
        return taken

    def _prepare(self, one: PlannedSet) -> None:
        """Panel and film as the set wants them, and the light near its level."""
        if one.light != self._lit:
            self._rig.light(one)
            self._lit = one.light
        if not one.level_e or self._dark_of(one) is None:
            return
        for _ in range(_TRIES):
            level = self._level_e(one, self._rig.trial(one))
            if level is None or abs(level / one.level_e - 1) <= NEAR:
                return
            said = f"{one.name}: {level:.3g} e- instead of {one.level_e:.3g} e-."
            if not self._rig.dim(said, one.level_e / max(level, 1e-3)):
                self._told(f"{said} Going on all the same.")
                return
        raise PlanError(f"--{one.name}: the light is not near {one.level_e:.3g} e- after {_TRIES} tries.")

    def _block(self, one: PlannedSet, count: int, until: int) -> None:
        first: float | None = None
        drifted = False
        for i in range(count):
            frame = self._taken(one)
            if one.kind is Kind.DARK and i == 0:
                self._learn(one, frame)
            level = self._level_e(one, frame) if one.level_e else None
            first = level if first is None else first
            if level is not None and first and abs(level / first - 1) > DRIFT + _scatter(one) and not drifted:
                self._told(f"{one.name}: the light went from {first:.3g} to {level:.3g} e- within a block.")
                drifted = True
            if (i + 1) % 10 == 0 or i + 1 == count:
                self._told(f"{one.name}: {until - count + i + 1} of {one.frames} frames")

    def _taken(self, one: PlannedSet) -> Frame:
        """A frame; an exposure that failed is tried again."""
        for _ in range(_RETRIES):
            try:
                return self._rig.take(one)
            except Transient as error:
                self._told(f"{one.name}: {error} Once more.")
        raise CameraError(f"{one.name}: {_RETRIES} exposures failed one after the other. The rest is whole.")

    def _learn(self, one: PlannedSet, frame: Frame) -> None:
        self._darks[one.gain, one.seconds] = _median(frame)

    def _dark_of(self, one: PlannedSet) -> float | None:
        return self._darks.get((one.gain, one.seconds))

    def _level_e(self, one: PlannedSet, frame: Frame) -> float | None:
        """Light on a frame, e-; None where its dark is not known, or there is too little to judge."""
        dark = self._dark_of(one)
        if dark is None or one.level_e < _LEAST_E:
            return None
        known = frame.facts.egain
        egain = known if known else self._schedule.egain * 10 ** ((self._gain - one.gain) / 200)
        return (_median(frame) - dark) * egain

    @property
    def _gain(self) -> float:
        return next(one.gain for one in self._schedule.sets if one.name == "dark")


def frames_in(folder: Path) -> list[Path]:
    """The frames of a set that are there."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.name.lower().endswith(FRAME_SUFFIXES) and not path.name.startswith(".")
    )


def _median(frame: Frame) -> float:
    # whole ADU: the mean of the middle half moves on where a median sits still
    values = np.sort(sampled(frame.pixels), axis=None)
    return float(values[values.size // 4 : 3 * values.size // 4 + 1].mean(dtype=np.float64))


def _scatter(one: PlannedSet) -> float:
    """What a level measured on one frame scatters by, at most."""
    return 0.02 if one.level_e > 1 else 0.1
