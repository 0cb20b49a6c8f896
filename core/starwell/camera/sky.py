"""A night under a simulated sky: frames of known truth, each reproducible by itself from the seed."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from starwell.align.transform import Transform
from starwell.camera.chip import ASI1600, Chip, Flaw, Silicon
from starwell.camera.conditions import Conditions, conditions
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
from starwell.camera.psf import Psf
from starwell.camera.scene import StarList, Surface, star_list
from starwell.camera.strokes import cosmic_rays, trail_e
from starwell.errors import PlanError
from starwell.frame import Exposure, Facts, Float32, Float64, Frame, Kind, Mask, Plane, Planes, Roi
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
_JITTER, _RAYS = 30, 31


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


class Sky:
    """A plan come true: frames, calibration frames, and what they ought to be."""

    def __init__(self, plan: SkyPlan | None = None) -> None:
        self.plan = plan = plan or SkyPlan()
        if min(plan.size) < 16 or plan.seconds <= 0:
            raise PlanError(
                f"A simulated frame of {plan.size} px and {plan.seconds} s is too small; ask for more."
            )
        self.silicon = Silicon(plan.chip, plan.size, plan.seed)
        self.planes = Planes.of(self._facts(Kind.LIGHT, 0, plan.seconds))

    @cached_property
    def stars(self) -> StarList:
        """Every star of the field, in world px."""
        return star_list(self.plan)

    @cached_property
    def surface(self) -> Surface:
        """Nebula and galaxy, in world px."""
        return Surface(self.plan)

    @cached_property
    def optics(self) -> Float32:
        """Vignette and dust: how much light reaches each pixel, relative, H×W."""
        height, width = self.plan.size
        y, x = np.ogrid[:height, :width]
        shade = self._vignette(x, y)
        for dust in self.plan.optics.dust:
            r = np.hypot(x - dust.x, y - dust.y) / dust.radius_px
            shade *= 1 - dust.depth * expit(20 * (1 - r)) * expit(20 * (r - 0.4))
        return shade.astype(np.float32)

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

    def light_e(self, i: int, seconds: float | None = None) -> Float32:
        """The noiseless light that falls on the sensor's pixels in sub i, trails included, H×W, e-."""
        seen = conditions(self.plan, i)
        stars = self.stars.seen_through(seen.pose)
        if self.plan.weather.jitter_px:
            rng = np.random.default_rng([self.plan.seed, _JITTER, i])
            dx, dy = self.plan.weather.jitter_px * rng.standard_normal((2, len(stars.x)))
            stars = StarList(stars.x + dx, stars.y + dy, stars.flux_e, stars.colour)
        light = np.zeros(self.plan.size, np.float32)
        self._fill(light, self.planes, seen, stars)
        light *= np.float32((self.plan.seconds if seconds is None else seconds) / self.plan.seconds)
        for trail in self._trails(i):
            light += trail
        return light

    def scene_e(
        self, sub: int = 0, *, fwhm_px: float | None = None, sky: bool = True, as_seen: bool = False
    ) -> Float32:
        """The noiseless scene in this sub's geometry, e- per reference sub: H×W, or 3×H×W in colour.

        Through the median seeing (or this FWHM) and a clear sky; without vignette, dust and sensor. This is
        what a stack about this sub, times its egain, should show. `sky` adds the sub's gradient at the
        plan's own level. as_seen: through the sub's own transparency and under its own sky.
        """
        weather = self.plan.weather
        there = conditions(self.plan, sub)
        psf = Psf.seen(fwhm_px or weather.fwhm_px, self.plan.optics.beta)
        clear, glow = (there.transparency, there.sky) if as_seen else (1.0, 1.0)
        seen = Conditions(there.pose, psf, weather.fwhm_px, clear, glow * sky, there.gradient)
        n = self.planes.channels
        pixels = np.zeros((n, *self.plan.size), np.float32)
        self._fill(
            pixels,
            Planes(tuple(Plane(c, 1, 0, 0) for c in range(n)), n),
            seen,
            self.stars.seen_through(seen.pose),
        )
        return pixels if n == 3 else pixels[0]

    def truth(self, i: int) -> Truth:
        """What is true of sub i."""
        seen = conditions(self.plan, i)
        limit = 0.25 * self._sky_noise_e(seen)
        trails = np.zeros(self.plan.size, bool)
        for trail in self._trails(i):
            trails |= trail > limit
        return Truth(
            number=i,
            transform=conditions(self.plan, 0).pose @ seen.pose.inverse(),
            transparency=seen.transparency,
            sky_e=tuple(self._sky_e(c) * seen.sky for c in range(self.planes.channels)),
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
        scene, sky = self.scene_e(sky=False), self._sky_e(1 if self.planes.channels == 3 else 0)
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
            variance = self.model.variance_adu(incident, self._vignette(px, py), dark) * self.model.egain**2
            weight = np.where(inside, (seen.transparency / self._sky_noise_e(seen)) ** 2, 0.0)
            weights += weight
            variances += weight**2 * variance / seen.transparency**2
        with np.errstate(invalid="ignore"):
            return np.sqrt(variances) / weights

    def _fill(self, pixels: Float32, planes: Planes, seen: Conditions, stars: StarList) -> None:
        """Add sky glow, nebula and stars as a reference sub saw them to an empty frame."""
        height, width = self.plan.size
        if not self.surface.empty:
            self.surface.add(pixels, planes, seen.pose, seen.transparency)
        gx, gy = seen.gradient
        turn = seen.pose.inverse()
        near = stars.inside(self.plan.size, -150.0)
        for plane in planes.planes:
            view = planes.view(pixels, plane)
            x = np.arange(plane.x0, width, plane.step)
            y = np.arange(plane.y0, height, plane.step)[:, None]
            across = (turn.a * x + turn.b * y + turn.tx) / width - 0.5
            down = (turn.c * x + turn.d * y + turn.ty) / height - 0.5
            view += (self._sky_e(plane.channel) * seen.sky * (1 + gx * across + gy * down)).astype(np.float32)
            tint = near.colour[:, plane.channel] if planes.channels == 3 else 1.0
            seen.psf.add_stars(view, plane, near.x, near.y, near.flux_e * tint * seen.transparency)

    def _sky_e(self, channel: int) -> float:
        """Sky glow at the field's centre in a reference sub, e-/px."""
        weather = self.plan.weather
        return weather.sky_e_s * self.plan.seconds * (weather.sky_colour[channel] if self.plan.bayer else 1.0)

    def _sky_noise_e(self, seen: Conditions) -> float:
        glow = self._sky_e(self.planes.channels // 2) * seen.sky / self.model.egain
        dark = self.plan.chip.dark_e_s * self.plan.seconds / self.model.egain
        return float(np.sqrt(self.model.variance_adu(glow, 1.0, dark)) * self.model.egain)

    def _trails(self, i: int) -> list[Float32]:
        trails = [trail for trail in self.plan.trails if trail.sub == i]
        noise = self._sky_noise_e(conditions(self.plan, i)) if trails else 0.0
        return [trail_e(trail, self.plan.size, noise) for trail in trails]

    def _rays(self, kind: Kind, i: int, seconds: float) -> Float32:
        rng = np.random.default_rng([self.plan.seed, _RAYS, _STREAMS[kind], i])
        return cosmic_rays(self.plan.chip.cosmic_rays_s * seconds, self.plan.size, rng)

    def _vignette(self, x: NDArray[Any], y: NDArray[Any]) -> Float64:
        height, width = self.plan.size
        cx, cy = (width - 1) / 2, (height - 1) / 2
        r2 = ((x - cx) ** 2 + (y - cy) ** 2) / (cx**2 + cy**2)
        shade: Float64 = 1 - self.plan.optics.vignette * r2
        return shade

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
