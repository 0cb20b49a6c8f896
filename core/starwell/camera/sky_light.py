"""The light of a simulated night, without noise: what falls on the sensor, sub by sub."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell.camera.conditions import Conditions, conditions
from starwell.camera.plan import SkyPlan
from starwell.camera.psf import Psf
from starwell.camera.scene import StarList, Surface, star_list
from starwell.camera.strokes import trail_e
from starwell.frame import Facts, Float32, Float64, Plane, Planes

_JITTER = 30


class SkyLight:
    """Stars, nebula, sky glow and trails of a plan, through its weather and optics."""

    def __init__(self, plan: SkyPlan) -> None:
        self.plan = plan
        self.planes = Planes.of(Facts(plan.size, bayer=plan.bayer))

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
        from scipy.special import expit  # as in psf

        height, width = self.plan.size
        y, x = np.ogrid[:height, :width]
        shade = self.vignette(x, y)
        for dust in self.plan.optics.dust:
            r = np.hypot(x - dust.x, y - dust.y) / dust.radius_px
            shade *= 1 - dust.depth * expit(20 * (1 - r)) * expit(20 * (r - 0.4))
        return shade.astype(np.float32)

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
        for trail in self.trails(i):
            light += trail
        return light

    def scene_e(self, sub: int = 0, *, sky: bool = True, as_seen: bool = False) -> Float32:
        """The noiseless scene in this sub's geometry, e- per reference sub: H×W, or 3×H×W in colour.

        Through the median seeing and a clear sky; without vignette, dust and sensor. This is
        what a stack about this sub, times its egain, should show. `sky` adds the sub's gradient at the
        plan's own level. as_seen: through the sub's own transparency and under its own sky.
        """
        weather = self.plan.weather
        there = conditions(self.plan, sub)
        psf = Psf.seen(weather.fwhm_px, self.plan.optics.beta)
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
            view += (self.sky_e(plane.channel) * seen.sky * (1 + gx * across + gy * down)).astype(np.float32)
            tint = near.colour[:, plane.channel] if planes.channels == 3 else 1.0
            seen.psf.add_stars(view, plane, near.x, near.y, near.flux_e * tint * seen.transparency)

    def sky_e(self, channel: int) -> float:
        """Sky glow at the field's centre in a reference sub, e-/px."""
        weather = self.plan.weather
        return weather.sky_e_s * self.plan.seconds * (weather.sky_colour[channel] if self.plan.bayer else 1.0)

    def sky_noise_e(self, seen: Conditions) -> float:
        """How much an empty pixel scatters under this sky, as the chip's noise model has it, e-."""
        model = self.plan.chip.model
        glow = self.sky_e(self.planes.channels // 2) * seen.sky / model.egain
        dark = self.plan.chip.dark_e_s * self.plan.seconds / model.egain
        return float(np.sqrt(model.variance_adu(glow, 1.0, dark)) * model.egain)

    def trails(self, i: int) -> list[Float32]:
        """What each trail adds to sub i, H×W, e-."""
        trails = [trail for trail in self.plan.trails if trail.sub == i]
        noise = self.sky_noise_e(conditions(self.plan, i)) if trails else 0.0
        return [trail_e(trail, self.plan.size, noise) for trail in trails]

    def vignette(self, x: NDArray[Any], y: NDArray[Any]) -> Float64:
        """How much light reaches these sensor px, relative, dust apart."""
        height, width = self.plan.size
        cx, cy = (width - 1) / 2, (height - 1) / 2
        r2 = ((x - cx) ** 2 + (y - cy) ** 2) / (cx**2 + cy**2)
        shade: Float64 = 1 - self.plan.optics.vignette * r2
        return shade
