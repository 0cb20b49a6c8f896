"""What lies beyond the atmosphere, in world px: the star list, and clouds of light as analytic functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from starwell.align.transform import Transform
from starwell.camera.conditions import pose
from starwell.camera.plan import RGB, WHITE, Galaxy, Nebula, SkyPlan
from starwell.frame import Float32, Float64, Planes

_STARS, _NEBULA = 20, 21
_MARGIN_PX = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class StarList:
    """Stars, brightest first: positions (n,), flux in e- per reference sub (n,), colour (n, 3)."""

    x: Float64
    y: Float64
    flux_e: Float64
    colour: Float64

    @property
    def xy(self) -> Float64:
        """Positions, (n, 2)."""
        return np.stack([self.x, self.y], axis=1)

    def seen_through(self, transform: Transform) -> StarList:
        """The same stars in other coordinates."""
        x, y = transform.apply(self.xy).T
        return StarList(x, y, self.flux_e, self.colour)

    def inside(self, size: tuple[int, int], margin_px: float = 0.0) -> StarList:
        """Those on a frame of this height and width, at least margin_px from its edges."""
        height, width = size
        ok = (self.x >= margin_px) & (self.x <= width - 1 - margin_px)
        ok &= (self.y >= margin_px) & (self.y <= height - 1 - margin_px)
        return StarList(self.x[ok], self.y[ok], self.flux_e[ok], self.colour[ok])


def star_list(plan: SkyPlan) -> StarList:
    """The field's stars, over everything that the plan's subs see."""
    scene, (height, width) = plan.scene, plan.size
    rng = np.random.default_rng([plan.seed, _STARS])
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], dtype=np.float64) - 0.5
    seen = np.concatenate([pose(plan, i).inverse().apply(corners) for i in range(max(plan.subs, 1))])
    low, high = seen.min(axis=0) - _MARGIN_PX, seen.max(axis=0) + _MARGIN_PX
    count = round(scene.stars * float(np.prod(high - low)) / (height * width))
    x, y = (low + (high - low) * rng.random((count, 2))).T
    faint, bright = scene.faintest_e**-scene.slope, scene.brightest_e**-scene.slope
    flux = (faint - rng.random(count) * (faint - bright)) ** (-1 / scene.slope)
    tint = scene.colour_scatter / 2 * rng.standard_normal(count)
    colour = np.exp(np.outer(tint, (-1.0, 0.0, 1.0)))
    colour[rng.random(count) < scene.h_alpha] = (1.0, 0.02, 0.02)
    given = np.array([(s.x, s.y, s.flux_e, *s.colour) for s in scene.given]).reshape(-1, 6)
    stars = np.concatenate([np.column_stack([x, y, flux, colour]), given])
    x, y, flux, *tints = stars[np.argsort(-stars[:, 2], kind="stable")].T
    return StarList(x, y, flux, np.column_stack(tints))


class Surface:
    """Nebula and galaxy: light per px as a function of world px, in e- per reference sub."""

    def __init__(self, plan: SkyPlan) -> None:
        self.plan = plan
        self._waves = _Waves(np.random.default_rng([plan.seed, _NEBULA]))

    @property
    def empty(self) -> bool:
        """Whether there is neither nebula nor galaxy."""
        return self.plan.scene.nebula is None and self.plan.scene.galaxy is None

    @property
    def _node_px(self) -> int:
        """Spacing of the nodes, 0.3 of the finest structure: a filament's or a bulge's width."""
        scene = self.plan.scene
        finest = [0.03 * scene.nebula.radius] if scene.nebula else []
        finest += [0.12 * scene.galaxy.radius] if scene.galaxy else []
        return int(np.clip(min(finest) * self.plan.size[0] * 0.3, 1, 8))

    def brightness_e(self, x: Float64, y: Float64) -> Float64:
        """Light at world px in R, G and B, (3, …); on a mono sensor all three alike."""
        total = np.zeros((3, *x.shape))
        if (nebula := self.plan.scene.nebula) is not None:
            core, cloud = self._nebula(nebula, x, y)
            total += np.multiply.outer(self._tint(nebula.core_colour), core)
            total += np.multiply.outer(self._tint(nebula.cloud_colour), cloud)
        if (galaxy := self.plan.scene.galaxy) is not None:
            total += np.multiply.outer(self._tint(galaxy.colour), self._galaxy(galaxy, x, y))
        return total

    def _tint(self, colour: RGB) -> RGB:
        return colour if self.plan.bayer else WHITE

    def _nebula(self, nebula: Nebula, x: Float64, y: Float64) -> tuple[Float64, Float64]:
        u, v = self._centred(nebula.centre, nebula.radius, x, y)
        u, v = (
            u + 0.12 * self._waves.smooth(1.5 * v, 1.5 * u, 0),
            v + 0.12 * self._waves.smooth(1.5 * u, 1.5 * v, 1),
        )
        r2 = u * u + 1.4 * v * v
        core = nebula.core_e / (1 + r2 * (nebula.radius / nebula.core_radius) ** 2) ** 1.5
        envelope = np.exp(-0.9 * r2) * (1 + 0.45 * self._waves.smooth(2 * u, 2 * v, 2))
        lanes = 1 - 0.55 * np.exp(-((self._waves.smooth(1.3 * u, 1.3 * v, 3) / 0.16) ** 2))
        ridges = np.exp(-((self._waves.smooth(1.8 * u, 1.8 * v, 4) / 0.12) ** 2))
        ridges += 0.6 * np.exp(-((self._waves.smooth(2.4 * u, 2.4 * v, 5) / 0.14) ** 2))
        cloud = nebula.cloud_e * np.maximum(envelope, 0) * lanes
        return core, cloud + nebula.filaments_e * np.exp(-1.1 * r2) * ridges

    def _galaxy(self, galaxy: Galaxy, x: Float64, y: Float64) -> Float64:
        u, v = self._centred(galaxy.centre, galaxy.radius, x, y)
        turn = math.radians(galaxy.angle_deg)
        along, across = u * math.cos(turn) + v * math.sin(turn), v * math.cos(turn) - u * math.sin(turn)
        across = across / math.cos(math.radians(galaxy.inclination_deg))
        r = np.sqrt(along**2 + across**2 + 0.05**2)
        arms = np.cos(2 * (np.arctan2(across, along) - np.log(r) / math.tan(math.radians(galaxy.pitch_deg))))
        inner = 1 / (1 + (0.25 / r) ** 4)
        disc = np.exp(-2.2 * r) * (1 + 0.7 * inner * arms)
        return galaxy.peak_e * (0.35 * disc + 0.65 * np.exp(-((r / 0.18) ** 1.3)))

    def _centred(
        self, centre: tuple[float, float], radius: float, x: Float64, y: Float64
    ) -> tuple[Float64, Float64]:
        height, width = self.plan.size
        return (x - centre[0] * width) / (radius * height), (y - centre[1] * height) / (radius * height)

    def add(self, pixels: Float32, planes: Planes, pose: Transform, factor: float) -> None:
        """Add this light, times factor, to a frame whose pose takes world px to its own.

        Computed at nodes and carried to the pixels by a bicubic spline.
        """
        from scipy.interpolate import RectBivariateSpline  # as in psf

        height, width = pixels.shape[-2:]
        step = self._node_px
        ys, xs = (np.arange(-step, n + 2 * step, step, dtype=np.float64) for n in (height, width))
        nodes = pose.inverse().apply(np.stack(np.meshgrid(xs, ys), axis=-1))
        values = factor * self.brightness_e(nodes[..., 0], nodes[..., 1])
        splines = [RectBivariateSpline(ys, xs, v) for v in values[: planes.channels]]
        for plane in planes.planes:
            y, x = (np.arange(o, n, plane.step) for o, n in ((plane.y0, height), (plane.x0, width)))
            planes.view(pixels, plane)[...] += splines[plane.channel](y, x)


class _Waves:
    """Six smooth random fields of rms about 1, each the sum of plane waves."""

    def __init__(self, rng: np.random.Generator) -> None:
        angle, self._phase = 2 * math.pi * rng.random((2, 6, 6))
        wavenumber = rng.uniform(0.8, 3.2, (6, 6))
        self._kx, self._ky = wavenumber * np.cos(angle), wavenumber * np.sin(angle)

    def smooth(self, u: Float64, v: Float64, k: int) -> Float64:
        waves = zip(self._kx[k], self._ky[k], self._phase[k], strict=True)
        total: Float64 = sum((np.sin(kx * u + ky * v + p) for kx, ky, p in waves), start=np.zeros_like(u))
        return total / math.sqrt(3)
