"""A simulated flat lab: every set of the experiment in memory, from a sensor whose truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pytest

from starwell.camera.chip import Chip, Response, Silicon
from starwell.camera.readout import chip_at
from starwell.camera.truths import WARMER_K, Truth, chip_of
from starwell.flatlab.experiment import Sets
from starwell.flatlab.frames import FrameSet
from starwell.frame import Bayer, Exposure, Facts, Float32, Kind, Pixels

GAIN, LOW_GAIN, OTHER_GAIN = 300.0, 0.0, 240.0
SECONDS = 10.0
SEED = 3
_STREAMS = {
    "dark": 0,
    "bright": 1,
    "bright-dark": 2,
    "low": 3,
    "low2": 4,
    "low3": 5,
    "held-out": 6,
    "same-charge": 7,
    "same-charge-dark": 8,
    "other-gain": 9,
    "other-gain-dark": 10,
    "panel-off": 11,
}
_DARKS: dict[tuple[object, ...], list[Pixels]] = {}


@dataclass(frozen=True)
class Lab:
    """What is true, and how many frames are shot of it. panel_leak_e: with the panel off. rays: a frame."""

    truth: Truth
    response: Response = Response.EXPONENTIAL
    size: tuple[int, int] = (192, 192)
    level_e: float = 8.0
    frames: int = 150
    darks: int = 200
    held: int = 160
    bayer: Bayer | None = None
    panel_leak_e: float = 0.0
    rays: int = 0
    chip: Chip | None = None
    levels: tuple[float, ...] = (1.0, 2.0, 0.5)
    drop: tuple[str, ...] = field(default=())

    def chip_for(self, gain: float, *, dark: bool = False) -> Chip:
        chip = self.chip or chip_of(self.truth, self.size, self.response)
        warmer = WARMER_K if dark and self.truth is Truth.DARK_MISMATCH else 0.0
        return chip_at(chip, gain, None, chip.celsius + warmer)

    @cached_property
    def shade(self) -> Float32:
        """The optics: a fifth less light in the corners."""
        y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in self.size)
        shade: Float32 = (1 - 0.1 * (x[None] ** 2 + y[:, None] ** 2)).astype(np.float32)
        if self.bayer is not None:
            shade[::2, ::2] *= 0.8
            shade[1::2, 1::2] *= 0.6
        return shade

    def light_e(self, gain: float, level_e: float, seconds: float = SECONDS) -> Float32:
        """The noiseless charge of every pixel."""
        return Silicon(self.chip_for(gain), self.size, SEED).charge_e(level_e * self.shade, seconds)

    def frames_of(
        self, name: str, count: int, level_e: float, seconds: float, gain: float
    ) -> Iterator[Pixels]:
        """Frame by frame, through noise and converter; darks of all truths alike are shot once."""
        alike = self.truth not in (Truth.CLIPPED, Truth.DARK_MISMATCH) and self.chip is None and not self.rays
        if level_e == 0 and alike and name != "panel-off":
            key = name, count, seconds, gain, self.size
            if key not in _DARKS:
                _DARKS[key] = list(replace(self, truth=Truth.LINEAR)._shot(name, count, 0.0, seconds, gain))
            yield from _DARKS[key]
        else:
            yield from self._shot(name, count, level_e, seconds, gain)

    def _shot(self, name: str, count: int, level_e: float, seconds: float, gain: float) -> Iterator[Pixels]:
        dark = level_e == 0 and name != "panel-off"
        silicon = Silicon(self.chip_for(gain, dark=dark), self.size, SEED)
        level_e = level_e or (self.panel_leak_e if name == "panel-off" else 0.0)
        light = level_e * self.shade if level_e else 0.0
        for i in range(count):
            # a lamp that drifts by a percent over the night
            lamp = 1 + 0.01 * i / count
            rng = np.random.default_rng([SEED, _STREAMS[name], i])
            pixels = silicon.expose(light * lamp, seconds, rng)
            if self.rays:
                at = rng.integers(0, pixels.size, self.rays)
                pixels.flat[at] = np.minimum(pixels.flat[at] + np.uint16(40_000), 65520)
            yield pixels

    def set(
        self, name: str, count: int, level_e: float, *, seconds: float = SECONDS, gain: float = GAIN
    ) -> FrameSet:
        chip = self.chip_for(gain)
        kind = Kind.FLAT if level_e else Kind.DARK
        facts = Facts(
            shape=self.size,
            exposure=Exposure(kind, seconds, gain, chip.offset_setting),
            camera=chip.name,
            sensor_celsius=chip.celsius,
            bayer=self.bayer,
            adu_shift=chip.shift,
            saturation_adu=chip.saturation_adu,
            egain=chip.file_egain,
        )
        shown = name.rstrip("23")
        return FrameSet(shown, facts, count, lambda: self.frames_of(name, count, level_e, seconds, gain))

    def sets(self) -> Sets:
        n, level = self.frames, self.level_e
        bright_e = 0.5 * self.chip_for(LOW_GAIN).usable_e
        short = SECONDS / 5
        lows = [self.set(("low", "low2", "low3")[i], n, part * level) for i, part in enumerate(self.levels)]
        found = Sets(
            dark=self.set("dark", self.darks, 0.0),
            bright=self.set("bright", 25, bright_e, gain=LOW_GAIN),
            bright_dark=self.set("bright-dark", 25, 0.0, gain=LOW_GAIN),
            lows=tuple(lows),
            held_out=(self.set("held-out", self.held, level),),
            same_charge=self.set("same-charge", n, level, seconds=short),
            same_charge_dark=self.set("same-charge-dark", self.darks, 0.0, seconds=short),
            other_gain=self.set("other-gain", n, level, gain=OTHER_GAIN),
            other_gain_dark=self.set("other-gain-dark", self.darks, 0.0, gain=OTHER_GAIN),
            panel_off=None,
        )
        return replace(found, **dict.fromkeys(self.drop))


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def lab() -> type[Lab]:
    return Lab
