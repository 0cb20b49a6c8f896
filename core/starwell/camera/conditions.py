"""How one sub of a simulated night saw the sky: pointing, seeing, transparency, sky glow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from starwell.align.transform import Transform
from starwell.camera.plan import SkyPlan
from starwell.camera.psf import Psf
from starwell.frame import Float64

_SEEING, _TRANSPARENCY, _SKY, _DITHER, _WANDER = range(10, 15)  # random streams beside the frames' own


@dataclass(frozen=True, slots=True)
class Conditions:
    """pose takes world px to this sub's px; sky is the glow's factor, gradient its rise across the frame."""

    pose: Transform
    psf: Psf
    fwhm_px: float
    transparency: float
    sky: float
    gradient: tuple[float, float]


def conditions(plan: SkyPlan, i: int) -> Conditions:
    """What sub i saw."""
    weather = plan.weather
    fwhm = weather.fwhm_px * math.exp(_wandering(plan, _SEEING, weather.seeing_scatter, i))
    clarity = math.exp(-abs(_wandering(plan, _TRANSPARENCY, weather.transparency_scatter, i)))
    sky = math.exp(_wandering(plan, _SKY, weather.sky_scatter, i))
    for cloud in weather.clouds:
        if i in cloud.subs:
            clarity, sky = clarity * cloud.transparency, sky * cloud.sky
    gradient = Transform.similarity(weather.gradient_turn_deg * i).apply(weather.gradient)
    psf = Psf.seen(fwhm, plan.optics.beta)
    for shake in plan.mount.shakes:
        if i in shake.subs:
            psf = psf.drawn_out(shake.length_px, shake.angle_deg, fwhm)
    for defocus in plan.optics.defocused:
        if i in defocus.subs:
            psf = psf.ringed(defocus.diameter_px, defocus.obstruction, fwhm)
    return Conditions(pose(plan, i), psf, fwhm, clarity, sky, (float(gradient[0]), float(gradient[1])))


def pose(plan: SkyPlan, i: int) -> Transform:
    """World px to sub i's px: a turn about the frame's centre, then a shift."""
    mount, (height, width) = plan.mount, plan.size
    angle = mount.rotation_deg * i + sum(turn.angle_deg for turn in mount.turns if i >= turn.first)
    if mount.flip_at is not None and i >= mount.flip_at:
        angle += 180.0
    shift = np.multiply(mount.drift_px, i) + _dither(plan, i // mount.dither_every)
    if i and mount.wander_px:
        shift += mount.wander_px * np.random.default_rng([plan.seed, _WANDER, i]).standard_normal(2)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    turn = Transform.similarity(angle)
    x, y = turn.apply((-cx, -cy)) + shift + np.array([cx, cy])
    return Transform(turn.a, turn.b, float(x), turn.c, turn.d, float(y))


def _dither(plan: SkyPlan, step: int) -> Float64:
    if step == 0 or not plan.mount.dither_px:
        return np.zeros(2)
    area, turn = np.random.default_rng([plan.seed, _DITHER, step]).random(2)
    angle = 2 * math.pi * turn
    return plan.mount.dither_px * math.sqrt(area) * np.array([math.cos(angle), math.sin(angle)])


def _wandering(plan: SkyPlan, stream: int, scatter: float, i: int) -> float:
    """Value i of a stationary AR(1) series of this rms: the sum of its steps, faded by rho each sub."""
    if not scatter:
        return 0.0
    rho = plan.weather.correlation
    steps = np.random.default_rng([plan.seed, stream]).standard_normal(i + 1)
    steps[1:] *= math.sqrt(1 - rho * rho)
    return scatter * float(steps @ rho ** np.arange(i, -1, -1))
