"""What a sensor analysis is shot of: biases, darks of five times, flats from 3 to 97 % of saturation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starwell.errors import CameraError, PlanError
from starwell.files.frames import open_facts, open_frame
from starwell.flatlab.frames import FLICKER_S
from starwell.flatlab.schedule import PlannedSet, Schedule
from starwell.flatlab.shooting import Rig, Shooting, frames_in
from starwell.frame import Float64, Frame, sampled
from starwell.kinds import Kind

COVERED, LIT = "cover the camera", "uncover it, panel on; leave the lamp alone until all flats are taken"
SHORTEST_S, LONGEST_S = 0.001, 60.0
"""Exposures in which a flat may reach saturation."""

_LOWEST, _HIGHEST = 0.03, 0.97
_DARK_TIMES = 5
_WANTED, _NEAR, _MOST = 0.5, 0.3, 8.0
_TRIALS = 10
_LAMP_S = 2.0
"""A lamp that can be told how bright to be fills the well in this time."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How the camera is set, and what is shot: light levels, frames of each, biases; the longest dark."""

    gain: float
    offset: float | None = None
    levels: int = 12
    frames: int = 4
    biases: int = 16
    longest_dark_s: float = 60.0

    def check(self) -> None:
        """PlanError for what no analysis can be made of."""
        if self.levels < 3 or self.frames < 2 or self.biases < 2:
            raise PlanError("A sensor analysis takes at least 3 light levels of 2 flats, and 2 biases.")
        if not self.longest_dark_s > 0:
            raise PlanError("The longest dark takes some time: more than 0 s.")

    @property
    def parts(self) -> Float64:
        """Of saturation, by light level."""
        return np.linspace(_LOWEST, _HIGHEST, self.levels)

    def unlit(self) -> Schedule:
        """Biases, and darks each twice as long as the one before."""
        bias = PlannedSet(
            name="bias",
            kind=Kind.BIAS,
            seconds=0.0,
            gain=self.gain,
            offset=self.offset,
            frames=self.biases,
            light=COVERED,
        )
        times = [self.longest_dark_s / 2**n for n in reversed(range(_DARK_TIMES))]
        darks = [
            PlannedSet(
                name=f"dark-{n}",
                kind=Kind.DARK,
                seconds=round(seconds, 3),
                gain=self.gain,
                offset=self.offset,
                frames=self.frames,
                light=COVERED,
            )
            for n, seconds in enumerate(times, 1)
        ]
        return Schedule(sets=(bias, *darks), egain=1.0, rounds=1)

    def lit(self, full_s: float, full_e: float) -> Schedule:
        """Flats of one lamp whose exposures make the levels; full_s: until saturation, which is at full_e."""
        flats = [
            self.flat(n, round(float(part) * full_s, 6), float(part) * full_e)
            for n, part in enumerate(self.parts, 1)
        ]
        return Schedule(sets=tuple(flats), egain=1.0, rounds=1)

    def flat(self, number: int, seconds: float, level_e: float) -> PlannedSet:
        """The set of one light level."""
        return PlannedSet(
            name=f"flat-{number:02d}",
            kind=Kind.FLAT,
            seconds=seconds,
            gain=self.gain,
            offset=self.offset,
            frames=self.frames,
            level_e=level_e,
            light=LIT,
        )


def shoot(wish: Wish, folder: Path, rig: Rig, told: Callable[[str], None]) -> int:
    """Shoot what the folder still lacks, a subfolder for each set; how many frames that was.

    CameraError where the lamp is too bright or too faint, or the camera fails for good.
    """
    wish.check()
    taken = Shooting(wish.unlit(), folder, rig, told).run()
    bias = open_frame(frames_in(folder / "bias")[-1])
    span = bias.facts.saturation_adu - _middle(bias)
    full_e = span * (bias.facts.egain or 1.0)
    full_s, lit = _seconds_there(wish, folder), ""
    if full_s is None:
        rig.light(wish.flat(1, _LAMP_S, full_e))
        full_s = _searched(wish, rig, full_e, lambda frame: (_middle(frame) - _middle(bias)) / span)
        lit = LIT
        told(f"The lamp fills a pixel in {full_s:.3g} s.")
    shortest = _LOWEST * full_s
    if shortest < FLICKER_S:
        told(f"Flats as short as {shortest:.2g} s show a dimmed LED's flicker: a fainter panel is better.")
    return taken + Shooting(wish.lit(full_s, full_e), folder, rig, told, lit=lit).run()


def _searched(wish: Wish, rig: Rig, full_e: float, part_of: Callable[[Frame], float]) -> float:
    """Seconds in which this lamp saturates pixels."""
    seconds = _LAMP_S / 2
    for _ in range(_TRIALS):
        one = wish.flat(1, seconds, full_e * seconds / _LAMP_S)
        part = part_of(rig.trial(one))
        if abs(part / _WANTED - 1) <= _NEAR:
            full_s = seconds / part
            if full_s <= LONGEST_S and _LOWEST * full_s >= SHORTEST_S:
                return full_s
            break
        seconds *= min(max(_WANTED / max(part, 1e-6), 1 / _MOST), _MOST)
        if not SHORTEST_S < seconds < LONGEST_S:
            break
    word, fix = ("bright", "dim") if seconds < 1 else ("faint", "brighten")
    raise CameraError(
        f"The lamp is too {word}: flats from 3 to 97 % of saturation are to take {SHORTEST_S:g} to "
        f"{LONGEST_S:g} s. {fix.capitalize()} it and call again; what was taken stays."
    )


def _seconds_there(wish: Wish, folder: Path) -> float | None:
    """What flats that are there already say of the lamp: seconds until saturation."""
    for number, part in enumerate(wish.parts, 1):
        for path in frames_in(folder / wish.flat(number, 1.0, 0.0).name)[:1]:
            seconds = open_facts(path).exposure.seconds
            if seconds:
                return seconds / float(part)
    return None


def _middle(frame: Frame) -> float:
    return float(np.median(sampled(frame.pixels)))


def sets_in(folder: Path) -> tuple[list[Path], list[list[Path]], list[list[Path]]]:
    """Biases, light levels and dark exposures of a folder, as `shoot` left them."""

    def all_of(name: str) -> list[list[Path]]:
        return [[one] for one in sorted(folder.glob(f"{name}-*")) if frames_in(one)]

    bias = folder / "bias"
    return ([bias] if frames_in(bias) else []), all_of("flat"), all_of("dark")
