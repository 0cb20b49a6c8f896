"""Light that belongs to one sub only: trails across the sky, cosmic rays through the sensor."""

from __future__ import annotations

import math

import numpy as np

from starwell.camera.plan import Trail
from starwell.frame import Float32

_RAY_E = (200.0, 4000.0)


def trail_e(trail: Trail, size: tuple[int, int], sky_noise_e: float) -> Float32:
    """A trail's light, e-/px, H×W; sky_noise_e: what one sigma of its brightness is."""
    height, width = size
    angle = math.radians(trail.angle_deg)
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(trail.through[1] * (height - 1))
    x = np.arange(width, dtype=np.float32) - np.float32(trail.through[0] * (width - 1))
    across = x * np.float32(math.sin(angle)) - y * np.float32(math.cos(angle))
    sigma = trail.width_px / math.sqrt(8 * math.log(2))
    light = np.zeros(size, np.float32)
    near = np.abs(across) < 5 * sigma
    light[near] = np.exp(-0.5 * (across[near] / sigma) ** 2)
    if trail.dash_px:
        along = x * np.float32(math.cos(angle)) + y * np.float32(math.sin(angle))
        light *= np.mod(along / trail.dash_px, 1) < 0.5
    light *= np.float32(trail.peak_e + trail.peak_sigma * sky_noise_e)
    return light


def cosmic_rays(per_frame: float, size: tuple[int, int], rng: np.random.Generator) -> Float32:
    """Charge of a Poisson number of cosmic rays: straight tracks of 1 to 12 px, 200 to 4000 e-/px, H×W."""
    strikes = np.zeros(size, np.float32)
    for _ in range(rng.poisson(per_frame)):
        x, y = rng.random(2) * (size[1], size[0]) - 0.5
        angle, length = 2 * math.pi * rng.random(), 1 + rng.integers(0, 12) * (rng.random() < 0.4)
        along = np.arange(length)
        xs = np.rint(x + along * math.cos(angle)).astype(np.intp)
        ys = np.rint(y + along * math.sin(angle)).astype(np.intp)
        ok = (xs >= 0) & (xs < size[1]) & (ys >= 0) & (ys < size[0])
        low, high = np.log(_RAY_E)
        strikes[ys[ok], xs[ok]] += np.float32(math.exp(rng.uniform(low, high)))
    return strikes
