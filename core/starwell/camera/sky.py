"""A night under a simulated sky: frames of known truth, each reproducible by itself from the seed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np

from starwell.align.transform import Transform
from starwell.camera.chip import ASI1600, Chip, Flaw, Silicon
from starwell.camera.conditions import conditions
from starwell.camera.plan import (
    Cloud,
    Defocus,
    Dust,
    Galaxy,
    Mount,
    Nebula,
    Optics,
    Scene,
    Shake,
    SkyPlan,
    Star,
    Trail,
    Turn,
    Weather,
    demo_plan,
)
from starwell.camera.scene import StarList
from starwell.camera.sky_light import SkyLight
from starwell.camera.strokes import cosmic_rays
from starwell.errors import PlanError
from starwell.frame import Exposure, Facts, Float32, Float64, Frame, Kind, Mask, Roi
from starwell.sensor.model import SensorModel

__all__ = [
    "ASI1600",
    "Chip",
    "Cloud",
    "Defocus",
    "Dust",
    "Flaw",
    "Galaxy",
    "Mount",
    "Nebula",
    "Optics",
    "Scene",
    "Shake",
    "Sky",
    "SkyPlan",
    "Star",
    "Trail",
    "Truth",
    "Turn",
    "Weather",
    "demo_plan",
]

_STREAMS = {Kind.LIGHT: 1, Kind.DARK: 2, Kind.FLAT: 3, Kind.BIAS: 4, Kind.DARK_FLAT: 5}
_RAYS = 31


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is true of sub i.

    transform takes its px to sub 0's. transparency: relative to the reference exposure. sky_e: the sky glow
    at the frame's centre, e-/px, per channel. stars: those on the frame, in its px (without jitter), with
    their fluxes in e- per reference sub. trail_mask: where trails add more than a quarter of the sky's
    noise; ray_mask: where cosmic rays struck.
    """

    number: int
    transform: Transform
    transparency: float
    sky_e: tuple[float, ...]
    fwhm_px: float
    stars: StarList
    trail_mask: Mask
    ray_mask: Mask


class Sky(SkyLight):
    """A plan come true: frames, calibration frames, and what they ought to be."""

    def __init__(self, plan: SkyPlan | None = None) -> None:
        plan = plan or SkyPlan()
        if min(plan.size) < 16 or plan.seconds <= 0:
            raise PlanError(
                f"A simulated frame of {plan.size} px and {plan.seconds} s is too small; ask for more."
            )
        super().__init__(plan)
        self.silicon = Silicon(plan.chip, plan.size, plan.seed)

    def varied(self, **changes: Any) -> Sky:
        """The same field with other settings: chip (of the same flaws), filter, target, flat_seconds, focus.

        What costs time and does not depend on them is shared.
        """
        shared = self.stars, self.surface, self.optics  # so that the copy finds them computed
        assert shared
        other = copy.copy(self)
        other.plan = replace(self.plan, **changes)
        if other.plan.chip != self.plan.chip:
            other.silicon = Silicon(other.plan.chip, other.plan.size, other.plan.seed)
        return other

    @property
    def flat_field(self) -> Float32:
        """The true flat a(x): optics and sensor, relative, H×W."""
        return self.optics * self.silicon.response

    @property
    def model(self) -> SensorModel:
        """The noise model of the simulated sensor."""
        return self.plan.chip.model

    def light(self, i: int, seconds: float | None = None) -> Frame:
        """Sub i, exposed for the plan's time or this one."""
        seconds = self.plan.seconds if seconds is None else seconds
        return self._frame(Kind.LIGHT, i, seconds, self.light_e(i, seconds) * self.optics)

    def dark(self, i: int, seconds: float | None = None) -> Frame:
        """Dark i, as long as a sub or this time."""
        seconds = self.plan.seconds if seconds is None else seconds
        return self._frame(Kind.DARK, i, seconds, 0.0)

    def bias(self, i: int) -> Frame:
        """Bias i: a dark of no length."""
        return self._frame(Kind.BIAS, i, 0.0, 0.0)

    def flat(self, i: int, level: float = 0.5) -> Frame:
        """Flat i, lit to this fraction of the usable range where nothing shades the sensor."""
        light = np.empty(self.plan.size, np.float32)
        for plane in self.planes.planes:
            colour = self.plan.flat_colour[plane.channel] if self.plan.bayer else 1.0
            self.planes.view(light, plane)[...] = level * self.plan.chip.usable_e * colour
        return self._frame(Kind.FLAT, i, self.plan.flat_seconds, light * self.optics)

    def dark_flat(self, i: int) -> Frame:
        """Dark i, as long as a flat."""
        return self._frame(Kind.DARK_FLAT, i, self.plan.flat_seconds, 0.0)

    def truth(self, i: int) -> Truth:
        """What is true of sub i."""
        seen = conditions(self.plan, i)
        limit = 0.25 * self.sky_noise_e(seen)
        trails = np.zeros(self.plan.size, bool)
        for trail in self.trails(i):
            trails |= trail > limit
        return Truth(
            number=i,
            transform=conditions(self.plan, 0).pose @ seen.pose.inverse(),
            transparency=seen.transparency,
            sky_e=tuple(self.sky_e(c) * seen.sky for c in range(self.planes.channels)),
            fwhm_px=seen.fwhm_px,
            stars=self.stars.seen_through(seen.pose).inside(self.plan.size),
            trail_mask=trails,
            ray_mask=self._rays(Kind.LIGHT, i, self.plan.seconds) > 0,
        )

    def stack_noise_e(self, subs: Iterable[int]) -> Float64:
        """What the noise model says the weighted mean of these subs scatters by, H×W, e-.

        In sub 0's geometry and on the reference's scale, weights transparency² over the sky's variance;
        without a kernel's factor and the masters' noise; of green pixels on a colour sensor. NaN where no
        sub reaches.
        """
        scene, sky = self.scene_e(sky=False), self.sky_e(1 if self.planes.channels == 3 else 0)
        light = (scene[1] if scene.ndim == 3 else scene).astype(np.float64)
        y, x = np.mgrid[: self.plan.size[0], : self.plan.size[1]].astype(np.float64)
        dark = self.plan.chip.dark_e_s * self.plan.seconds / self.model.egain
        weights, variances = np.zeros(self.plan.size), np.zeros(self.plan.size)
        for i in subs:
            seen = conditions(self.plan, i)
            there = seen.pose @ conditions(self.plan, 0).pose.inverse()
            px, py = np.moveaxis(there.apply(np.stack([x, y], axis=-1)), -1, 0)
            inside = (px >= 0) & (py >= 0) & (px <= self.plan.size[1] - 1) & (py <= self.plan.size[0] - 1)
            incident = (light * seen.transparency + sky * seen.sky) / self.model.egain
            variance = self.model.variance_adu(incident, self.vignette(px, py), dark) * self.model.egain**2
            weight = np.where(inside, (seen.transparency / self.sky_noise_e(seen)) ** 2, 0.0)
            weights += weight
            variances += weight**2 * variance / seen.transparency**2
        with np.errstate(invalid="ignore"):
            return np.sqrt(variances) / weights

    def _rays(self, kind: Kind, i: int, seconds: float) -> Float32:
        rng = np.random.default_rng([self.plan.seed, _RAYS, _STREAMS[kind], i])
        return cosmic_rays(self.plan.chip.cosmic_rays_s * seconds, self.plan.size, rng)

    def _frame(self, kind: Kind, i: int, seconds: float, light_e: Float32 | float) -> Frame:
        rng = np.random.default_rng([self.plan.seed, _STREAMS[kind], i])
        rays = self._rays(kind, i, seconds) if self.plan.chip.cosmic_rays_s else None
        return Frame(self._facts(kind, i, seconds), self.silicon.expose(light_e, seconds, rng, rays))

    def _facts(self, kind: Kind, i: int, seconds: float) -> Facts:
        plan, chip = self.plan, self.plan.chip
        height, width = plan.size
        roi = Roi(0, 0, width, height)
        shot_through = plan.filter if kind in (Kind.LIGHT, Kind.FLAT) else None
        return Facts(
            shape=plan.size,
            exposure=Exposure(kind, seconds, chip.gain, chip.offset_setting, 1, roi, shot_through),
            number=i,
            target=plan.target if kind is Kind.LIGHT else None,
            camera=chip.name,
            started=plan.start + timedelta(seconds=i * (seconds + plan.gap_s)),
            sensor_celsius=chip.celsius,
            setpoint_celsius=chip.celsius,
            bayer=plan.bayer,
            adu_shift=chip.shift,
            saturation_adu=chip.saturation_adu,
            egain=chip.file_egain,
            pixel_um=chip.pixel_um,
            focal_mm=plan.optics.focal_mm if kind in (Kind.LIGHT, Kind.FLAT) else None,
        )
