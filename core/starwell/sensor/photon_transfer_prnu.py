"""How unevenly pixels respond to light: what all frames of all clean light levels share."""

from __future__ import annotations

import math

import numpy as np

from starwell.frame import Float64
from starwell.sensor.photon_transfer_blocks import BLOCK, clipped_rms
from starwell.sensor.photon_transfer_fit import level_is_clean
from starwell.sensor.photon_transfer_levels import Level

_ABOUT_HALF = 0.25
_UNEVEN = 1.5


def measure(
    flats: list[Level], bias: Level | None, saturation_adu: float | None, warnings: list[str]
) -> tuple[float | None, float | None, float | None]:
    """PRNU in %, the mean level it was found at over saturation, and the unevenness of the window in %.

    From clean levels within a quarter of half saturation, or the nearest one. Their patterns are averaged by
    light and frames before they are squared, so that shot noise falls with all their light together.
    """
    if bias is None or saturation_adu is None or not bias.pairs:
        return None, None, None
    clean = [
        level
        for level in flats
        if level.pattern is not None and level_is_clean(level) and 0 < level.light_adu.min() < saturation_adu
    ]
    if not clean:
        return None, None, None
    parts = np.array([float(level.light_adu.mean()) / saturation_adu for level in clean])
    apart = np.abs(parts - 0.5)
    chosen = [clean[i] for i in np.flatnonzero(apart <= max(_ABOUT_HALF, apart.min()))]
    light = np.array([float(level.light_adu.mean()) for level in chosen])
    weights = light * [level.frames for level in chosen]
    weights /= weights.sum()
    of_dark = float(np.mean(bias.fixed_adu2)) * float(np.sum(weights / light)) ** 2
    variance = _shared(chosen, weights) - of_dark
    uneven = float(np.sum(weights * [float(np.mean(level.uneven2)) for level in chosen])) - of_dark
    if variance <= 0:
        warnings.append("PRNU drowns in the flats' shot noise: more flats, or brighter ones, would show it.")
        return None, None, None
    prnu, uneven = 100 * math.sqrt(variance), 100 * math.sqrt(max(uneven, variance))
    if uneven > _UNEVEN * prnu:
        warnings.append(
            f"The flats are uneven by {uneven:.2f} % over the window: PRNU is the {prnu:.2f} % within blocks "
            f"of {BLOCK}×{BLOCK} px, free of vignetting and of most dust."
        )
    return prnu, float(np.sum(weights * light)) / saturation_adu, uneven


def _shared(levels: list[Level], weights: Float64) -> float:
    """Variance of the mean pattern, less that of the noise in it."""
    patterns = [level.pattern for level in levels if level.pattern is not None]
    common, apart = (np.zeros(patterns[0].common.shape, np.float32) for _ in range(2))
    for weight, pattern in zip(weights, patterns, strict=True):
        common += np.float32(weight) * pattern.common
        apart += np.float32(weight) * pattern.apart
    return clipped_rms(common) ** 2 - clipped_rms(apart) ** 2
