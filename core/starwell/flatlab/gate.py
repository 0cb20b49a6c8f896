"""The gate before the experiment: a converter that cuts the noise off makes linear pixels look cold.

Clipped darks are too bright, dim flats are not: the difference sinks as the light does, a bright flat does
not show it and no dark removes it. Whoever measures cold pixels through such a converter finds some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from starwell.flatlab.sums import Sums
from starwell.frame import Facts, Float64, sampled

MOST_CLIPPED = 1e-4
"""Share of samples at a rail beyond which the gate refuses (methods.md, Decision 13)."""
BIAS_PART = 0.1
"""Of the smallest deficit that can be found, what clipping may feign."""

_HOT_PART = 0.25
_SAFE_SIGMAS = 4.0
_DB = 200.0


@dataclass(frozen=True, slots=True)
class Gate:
    """zero_fraction: of the darks' samples, at the lowest code. saturated_fraction: of the dim flats', at the
    top, without hot pixels. bias_e: deficit that clipping feigns at L0, least_e: the smallest that can be
    found. reasons: why it refuses.
    """

    zero_fraction: float
    saturated_fraction: float
    bias_e: float
    least_e: float
    reasons: tuple[str, ...] = ()
    advice: str = ""

    @property
    def passed(self) -> bool:
        """Whether the experiment can tell anything."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Lights:
    """The settings the lights are shot at: e-/ADU, noise of a dark and the dim flats' level, e-."""

    egain: float
    dark_noise_e: float
    level_e: float


def check(dark: Sums, lows: Sequence[Sums], facts: Facts, lights: Lights, least_e: float) -> Gate:
    """Judge the darks and the dim flats at the lights' settings."""
    zero, saturated = dark.at_floor, _saturated(dark, lows, facts)
    bias = clipping_bias(dark, lights)
    reasons, advice = [], ""
    if zero > MOST_CLIPPED:
        reasons.append(
            f"{_percent(zero)} of the darks' samples lie at the lowest code ({dark.floor_adu:g} ADU)"
        )
    if bias > BIAS_PART * least_e:
        reasons.append(f"clipping alone feigns a deficit of {bias:.2g} e- at {lights.level_e:.3g} e-")
    if reasons:
        advice = _raise_offset(dark, facts, lights)
    if saturated > MOST_CLIPPED:
        reasons.append(f"{_percent(saturated)} of the dim flats' samples are saturated")
        advice = f"{advice} Lower the gain: its full scale is too near to the light.".strip()
    return Gate(zero, saturated, bias, least_e, tuple(reasons), advice)


def clipping_bias(dark: Sums, lights: Lights) -> float:
    """The deficit that the lower rail feigns at the dim flats' level, e-, mean of the pixels.

    E[max(X, 0)] - mu = s·(phi(z) - z·(1 - Phi(z))), z = mu/s: by so much darks are too bright, and dim flats
    by what is left of it at their level and noise.
    """
    above_e = (sampled(dark.mean()).astype(np.float64) - dark.floor_adu) * lights.egain
    s = lights.dark_noise_e
    lit = float(np.hypot(s, np.sqrt(max(lights.level_e, 0.0))))
    too_bright = _excess(above_e, s) - _excess(above_e + lights.level_e, lit)
    return float(np.mean(too_bright)) if dark.at_floor > 0 else 0.0


def _excess(mean_e: Float64, sigma_e: float) -> Float64:
    if sigma_e <= 0:
        return np.zeros_like(mean_e)
    z = mean_e / sigma_e
    density = np.exp(-np.minimum(np.square(z) / 2, 700)) / np.sqrt(2 * np.pi)
    excess: Float64 = sigma_e * (density - z * ndtr(-z))
    return excess


def _saturated(dark: Sums, lows: Sequence[Sums], facts: Facts) -> float:
    """Share of the dim flats' samples at the top, of pixels that are not hot."""
    level = sampled(dark.mean())
    middle = float(np.median(level))
    cool = level < middle + _HOT_PART * (facts.saturation_adu - middle)
    shares = [float(low.saturated[cool].mean()) / max(low.count, 1) for low in lows if cool.any()]
    return max(shares, default=0.0)


def _raise_offset(dark: Sums, facts: Facts, lights: Lights) -> str:
    """What to ask of the camera: an offset that clears the noise, or the gain that does."""
    sigma_adu = lights.dark_noise_e / lights.egain
    wanted = _SAFE_SIGMAS * sigma_adu
    there = max(float(np.median(sampled(dark.mean()))) - dark.floor_adu, 0.1 * sigma_adu)
    gain, offset = facts.exposure.gain, facts.exposure.offset
    advice = f"Raise the offset until the darks' level is {wanted:.0f} ADU above the lowest code"
    if offset:
        advice += f" (about {offset * wanted / there:.0f} instead of {offset:g}, if it is proportional)"
    if gain is not None:
        # noise in ADU falls with gain (0.1 dB a step), the offset in ADU stays
        lower = gain - _DB * float(np.log10(max(wanted / there, 1.0)))
        advice += f". Where it cannot be raised, a gain of {max(lower, 0):.0f} or less passes"
    return f"{advice}; then shoot all sets anew."


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"
