"""An undithered simulated night with cold pixels, stacked three ways: what a low-light map is good for.

The subs are shot one by one. The masters are drawn as the sum of their frames at once: charges of N frames
are a Poisson draw of N times the mean, their read noises a normal one of √N times the rms, which is the same
law; only rounding (a twentieth of the read noise here) and clipping (8 read noises away) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.low_light import LowLight, LowSet, estimate
from starwell.calibration.master import Master, Masters
from starwell.camera.chip import Chip, Flaw, drawn
from starwell.camera.plan import Scene, SkyPlan, Weather
from starwell.camera.sky import Sky
from starwell.frame import Facts, Float32, Frame, Kind, Mask
from starwell.session.build import Method
from starwell.session.events import StackMeasured
from starwell.session.intake import Intake
from starwell.session.noise import total_e
from starwell.session.pipeline import Pipeline

SKY_E = 8.0
SECONDS = 10.0
DIM_LEVELS = (SKY_E, 2 * SKY_E)
BRIGHT_E = 16_000.0
_COLD = ((1.0, 0.2), (1.5, 0.2), (2.0, 0.2), (3.0, 0.2), (4.5, 0.2))
_COLD_SHARE = 0.005
_GAP = 8


@dataclass(frozen=True, slots=True)
class Frames:
    """How many of each are shot."""

    subs: int = 200
    darks: int = 1000
    bright: int = 25
    dim: int = 300


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way to calibrate the night, and what came of it.

    true_e: rms of the stack about the true sky on pixels without stars. cold_percent: rms error of the cold
    pixels, of the sky. seen: what the noise pane says. crop_e: the middle of the stack above its sky.
    """

    name: str
    true_e: float
    cold_percent: float
    seen: StackMeasured
    crop_e: Float32


class LowLightNight:
    """The night. ideal_e: what noise the subs alone leave; masters_e: what dark and map put in, by theory."""

    def __init__(
        self, size: tuple[int, int] = (512, 768), frames: Frames | None = None, seed: int = 7
    ) -> None:
        self.frames = frames or Frames()
        pixels = size[0] * size[1]
        cold = tuple(Flaw(round(_COLD_SHARE * share * pixels), q) for q, share in _COLD)
        chip = Chip(
            name="Simulated cold-pixel camera",
            egain=0.05,
            read_noise_e=1.3,
            offset_adu=220.0,
            full_well_e=3000.0,
            dark_e_s=0.002,
            cold=cold,
            gain=300.0,
        )
        scene = Scene(stars=max(25, round(60 * pixels / 400_000)), faintest_e=400.0, brightest_e=20_000.0)
        weather = Weather(sky_e_s=SKY_E / SECONDS)
        self.sky = Sky(
            SkyPlan(size, self.frames.subs, SECONDS, seed, scene=scene, weather=weather, chip=chip)
        )
        self._rng = np.random.default_rng([seed, 77])
        self.facts: Facts = self.sky.light(0).facts
        self.dark = self._dark()
        self.bright = self._flat(BRIGHT_E, self.frames.bright, 0.0)
        self.low_light = self._low_light()

    @property
    def ideal_e(self) -> float:
        """Noise of the mean of the subs at the sky's level with perfect masters."""
        chip = self.sky.plan.chip
        per_sub = SKY_E + chip.dark_e_s * SECONDS + chip.read_noise_e**2 + chip.egain**2 / 12
        return float(np.sqrt(per_sub / self.frames.subs))

    def ways(self) -> Iterator[Way]:
        """With the bright flat alone, with the low-light map, and divided by the dim flat instead."""
        dim = self._flat(SKY_E, self.frames.dim, self._dark_error)
        yield self._stacked("bright flat", Masters(dark=self.dark, flat=self.bright))
        mapped = Masters(dark=self.dark, flat=self.bright, low_light=self.low_light)
        yield self._stacked("bright flat and low-light map", mapped)
        yield self._stacked("dim flat as divisor", Masters(dark=self.dark, flat=dim))

    def _stacked(self, name: str, masters: Masters) -> Way:
        intake = Intake(Calibrator(masters, self.facts), masters, sensor=self.sky.plan.chip.model)
        pipeline = Pipeline(intake, self._sub, Method())
        for number in range(1, self.frames.subs + 1):
            for _ in pipeline.feed(self._sub(number)):
                pass
        stack, seen = pipeline.stack, pipeline.noise()
        assert stack is not None
        assert seen is not None
        mean_e = stack.mean(0) * np.float32(intake.model.egain)
        weak = stack.sums.weight[0] == 0
        pipeline.close()
        scene = self.sky.scene_e()
        off = mean_e - scene
        empty = _empty(scene, weak)
        off -= np.median(off[empty])
        cold = np.zeros(scene.shape, bool)
        xy = np.concatenate(self.sky.silicon.cold_xy)
        cold[xy[:, 1], xy[:, 0]] = True
        return Way(
            name,
            float(np.sqrt(np.mean(np.square(off[empty], dtype=np.float64)))),
            100 / SKY_E * float(np.sqrt(np.mean(np.square(off[empty & cold], dtype=np.float64)))),
            seen,
            mean_e - np.float32(SKY_E),
        )

    def _sub(self, number: int) -> Frame:
        frame = self.sky.light(number - 1)
        return Frame(replace(frame.facts, number=number), frame.pixels)

    def _dark(self) -> Master:
        """The master dark: its level, its fixed pattern, and what noise so many frames leave."""
        chip, silicon, n = self.sky.plan.chip, self.sky.silicon, self.frames.darks
        charge = drawn(silicon.charge_e(0.0, SECONDS) * np.float32(n), self._rng) / np.float32(n)
        charge += self._normal(chip.read_noise_e / n**0.5)
        self._dark_error: Float32 = charge - silicon.charge_e(0.0, SECONDS)
        pixels: Float32 = np.divide(charge + silicon.fixed_e, np.float32(chip.egain), dtype=np.float32)
        pixels += np.float32(chip.offset_adu)
        noise = float(np.sqrt(chip.read_noise_e**2 + chip.dark_e_s * SECONDS)) / chip.egain
        return self._master(Kind.DARK, pixels, n, float(np.median(pixels)), {"noise_adu": noise})

    def _light(self, level_e: float, n: int) -> Float32:
        """The mean of n flats of this level without any dark, e-."""
        mean = self.sky.silicon.charge_e(level_e, 0.0)
        shot: Float32 = drawn(mean * np.float32(n), self._rng) / np.float32(n)
        return shot + self._normal(self.sky.plan.chip.read_noise_e / n**0.5)

    def _flat(self, level_e: float, n: int, dark_error: Float32 | float) -> Master:
        pixels: Float32 = np.subtract(self._light(level_e, n), dark_error, dtype=np.float32)
        chip = self.sky.plan.chip
        learnt = {"egain": chip.egain, "read_noise_e": chip.read_noise_e}
        pixels /= pixels.mean()
        return self._master(Kind.FLAT, pixels, n, level_e / chip.egain, learnt)

    def _low_light(self) -> LowLight:
        chip, n = self.sky.plan.chip, self.frames.dim
        lows = [LowSet(level, self._light(level, n) - self._dark_error, n) for level in DIM_LEVELS]
        found = estimate(self.bright.pixels, lows, self.frames.darks, chip.read_noise_e, facts=self.facts)
        return replace(found, egain=chip.egain)

    def _master(
        self, kind: Kind, pixels: Float32, n: int, level_adu: float, learnt: dict[str, float]
    ) -> Master:
        facts = replace(self.facts, exposure=replace(self.facts.exposure, kind=kind))
        return Master(kind, pixels, facts, level_adu, n, learnt=MappingProxyType(learnt))

    def _normal(self, rms: float) -> Float32:
        return np.float32(rms) * self._rng.standard_normal(self.sky.plan.size, dtype=np.float32)


def night_lines(night: LowLightNight, ways: list[Way]) -> list[str]:
    """The table, in words."""
    f = night.frames
    masters = next((way.seen.masters_e for way in ways if way.name.endswith("map")), None) or 0.0
    best = float(np.hypot(night.ideal_e, masters))
    lines = [
        f"{f.subs} undithered subs at {SKY_E:g} e- per pixel; {f.darks} darks, {f.bright} bright flats, "
        f"{f.dim} dim flats at {' and '.join(f'{level:g}' for level in DIM_LEVELS)} e-",
        f"{100 * _COLD_SHARE:g} % of the pixels keep back 1 to 4.5 e-",
        f"the subs alone leave {night.ideal_e:.4f} e-, the masters put in {masters:.4f}: {best:.4f} e-",
        f"{'calibrated with':30s} {'noise':>9s} {'x ideal':>8s} {'cold px':>8s}   the noise pane says",
    ]
    for way in ways:
        total, fixed = total_e(way.seen), way.seen.fixed_e
        pane = "" if total is None else f"{total:.3f} e-"
        pane += "" if fixed is None else f", {fixed:.3f} of it fixed, N* {way.seen.n_star:.0f}"
        pane += "" if way.seen.gain_percent is None else f"; twice the subs: -{way.seen.gain_percent:.0f} %"
        lines.append(
            f"{way.name:30s} {way.true_e:6.4f} e- {way.true_e / best:8.3f} {way.cold_percent:6.1f} %   {pane}"
        )
    return lines


def night_picture(night: LowLightNight, ways: list[Way], side: int = 200) -> NDArray[np.uint8]:
    """The middle of the stacks side by side, twice their size, all from -8 to +16 times the ideal noise."""
    panels = []
    for way in ways:
        height, width = way.crop_e.shape
        y, x = max(0, height - side) // 2, max(0, width - side) // 2
        crop = way.crop_e[y : y + side, x : x + side]
        shown = np.clip((crop / night.ideal_e + 8) / 24, 0, 1) * 255
        panel = np.repeat(np.repeat(shown.astype(np.uint8), 2, axis=0), 2, axis=1)
        words = cv2.putText(
            np.zeros((28, panel.shape[1]), np.uint8), way.name, (4, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1
        )
        panels += [np.vstack([words, panel]), np.zeros((panel.shape[0] + 28, _GAP), np.uint8)]
    return np.hstack(panels[:-1]).astype(np.uint8)


def _empty(scene: Float32, weak: Mask) -> Mask:
    """Pixels without starlight, covered, and away from the edge."""
    near = cv2.dilate((scene > 1.01 * SKY_E).astype(np.uint8), np.ones((5, 5), np.uint8))
    empty: Mask = (near == 0) & ~weak
    for edge in (np.s_[:_GAP], np.s_[-_GAP:], np.s_[:, :_GAP], np.s_[:, -_GAP:]):
        empty[edge] = False
    return empty
