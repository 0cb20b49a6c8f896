"""Electrons per ADU and read noise of the subs at hand, from the best that is known; and which that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from starwell.frame import Facts
from starwell.measure.sub import Measured
from starwell.sensor.model import Origin, SensorModel

_TYPICAL_READ_NOISE_E = 2.0
_LARGEST_READ_NOISE_E = 10.0
_JUSTIFIED = (1, 4, 16, 64)
_AGREES = 1.5
_READ_NOISE_KEYWORDS = ("RDNOISE", "READNOIS", "RON", "READNOISE")
_LEAST_LIGHT = 0.5  # sky over sigma: below it the shot noise drowns in the read noise


_Gain = tuple[float, Origin, str, tuple[str, ...]]
"""e-/ADU, where it is from, the same in words, and what the user should know."""


@dataclass(frozen=True, slots=True)
class SensorFindings:
    """The sensor model to use, a sentence on where it comes from, and what the user should know."""

    model: SensorModel
    source: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Light:
    """What one sub says: light above the dark (None: unknown), variance without rounding, level."""

    above_dark_adu: float | None
    variance_adu2: float
    level_adu: float

    def egain(self, read_noise_e: float) -> float | None:
        """K from σ²K² - S·K - RN² = 0; None where there is not light enough to tell."""
        if self.above_dark_adu is None or self.variance_adu2 <= 0:
            return None
        s, v = self.above_dark_adu, self.variance_adu2
        if s < _LEAST_LIGHT * math.sqrt(v):
            return None
        return (s + math.sqrt(s * s + 4 * v * read_noise_e**2)) / (2 * v)

    def most_egain(self, read_noise_e: float) -> float:
        """K cannot exceed this: all of the level, offset included, taken for light."""
        if self.variance_adu2 <= 0:
            return math.inf
        s, v = self.level_adu, self.variance_adu2
        return (s + math.sqrt(s * s + 4 * v * read_noise_e**2)) / (2 * v)


def sensor_model(
    facts: Facts,
    measured: Measured,
    *,
    sensor: SensorModel | None = None,
    masters_egain: float | None = None,
    masters_read_noise_e: float | None = None,
    sky_is_above_dark: bool = False,
    dark_adu: float = 0.0,
) -> SensorFindings:
    """The noise model of these subs: sensor analysis, masters, checked header, then the data, then a guess.

    measured: a calibrated sub. sensor: a measured sensor, used as it is. masters_egain and
    masters_read_noise_e: what pairs of flats and biases told when the masters were built, for the ADU of
    these files. sky_is_above_dark: whether a dark or bias was subtracted, without which the light is not
    known. dark_adu: the dark current's share that was subtracted. A header's EGAIN is compared with
    K = (σ²·K² - RN²)/S and corrected where it is off by 4, 16 or 64: e-/ADU of the converter beside pixels
    that are left-justified in 16 bits (methods.md, Decision 12).
    """
    if sensor is not None:
        told = f"from {Origin.MEASURED}: {sensor.egain:.3g} e-/ADU, read noise {sensor.read_noise_e:.3g} e-"
        return SensorFindings(sensor, told)
    light = _light_of(facts, measured, dark_adu if sky_is_above_dark else None)
    read_noise = masters_read_noise_e or _header_read_noise(facts)
    assumed = "" if read_noise else "assumed to be "
    seen = light.egain(read_noise or _TYPICAL_READ_NOISE_E)
    most = light.most_egain(read_noise or _LARGEST_READ_NOISE_E)
    egain, origin, source, warnings = _egain(facts, masters_egain, seen, most)
    if read_noise is None:
        read_noise = min(_TYPICAL_READ_NOISE_E, egain * math.sqrt(max(light.variance_adu2, 0.0)))
    model = SensorModel(egain, read_noise, float(2**facts.adu_shift), facts.saturation_adu, origin)
    told = f"{source}: {egain:.3g} e-/ADU, read noise {assumed}{read_noise:.3g} e-"
    return SensorFindings(model, told, warnings)


def _light_of(facts: Facts, measured: Measured, dark_adu: float | None) -> _Light:
    """Of the channel with the median light: a software white balance spoils one, rarely two."""
    rounding = 4.0**facts.adu_shift / 12
    sky = measured.background.sky_adu
    channel = int(np.argsort(sky, kind="stable")[len(sky) // 2])
    level = float(sky[channel])
    variance = float(measured.sigma_adu[channel]) ** 2 - rounding
    above = None if dark_adu is None else level + dark_adu
    return _Light(above, variance, max(level + (dark_adu or 0.0), 0.0))


def _header_read_noise(facts: Facts) -> float | None:
    for keyword in _READ_NOISE_KEYWORDS:
        value = facts.header.get(keyword)
        if isinstance(value, int | float) and 0.1 < value < 100:
            return float(value)
    return None


def _egain(facts: Facts, masters: float | None, seen: float | None, most: float) -> _Gain:
    """The best that is known of an unmeasured sensor."""
    if masters:
        return masters, Origin.DATA, "e-/ADU measured on pairs of the masters' frames", ()
    if facts.egain and facts.egain > 0:
        return _checked_header(facts, seen, most)
    if seen is not None:
        return seen, Origin.DATA, "e-/ADU from the noise and sky of a sub", ()
    egain = min(1.0 / 2**facts.adu_shift, most)
    warning = (
        f"e-/ADU is not known and was taken to be {egain:.3g}: give darks or a bias, "
        "or run a sensor analysis."
    )
    return egain, Origin.ASSUMED, "e-/ADU assumed", (warning,)


def _checked_header(facts: Facts, seen: float | None, most: float) -> _Gain:
    """EGAIN as the header has it, corrected by the data, or replaced by them."""
    header = facts.egain or 0.0
    if seen is None:
        return _unchecked_header(header, facts.adu_shift, most)
    factor = min(_JUSTIFIED, key=lambda f: abs(math.log(header / f / seen)))
    fits = max(header / factor / seen, seen * factor / header) < _AGREES
    if fits and factor == 1:
        return header, Origin.HEADER, "e-/ADU from EGAIN, which the noise of a sub bears out", ()
    if fits:
        return _corrected(header, factor, f"the noise of a sub says {seen:.3g}")
    warning = (
        f"EGAIN says {header:.3g} e-/ADU, the noise of a sub says {seen:.3g}: the sub was believed. "
        "Electron figures are uncertain; run a sensor analysis."
    )
    return seen, Origin.DATA, "e-/ADU from the noise and sky of a sub, against EGAIN", (warning,)


def _unchecked_header(header: float, shift: int, most: float) -> _Gain:
    if header > most * _AGREES and shift and header / 2**shift <= most * _AGREES:
        return _corrected(header, 2**shift, f"the noise of a sub allows no more than {most:.3g}")
    if header > most * _AGREES:
        warning = (
            f"EGAIN says {header:.3g} e-/ADU, but the noise of a sub allows no more than {most:.3g}, "
            "which was used. Give darks or a bias to learn the true figure."
        )
        return most, Origin.ASSUMED, "e-/ADU at most", (warning,)
    return header, Origin.HEADER, "e-/ADU from EGAIN, unchecked: the light above the dark is not known", ()


def _corrected(header: float, factor: int, why: str) -> tuple[float, Origin, str, tuple[str, ...]]:
    egain = header / factor
    warning = (
        f"EGAIN says {header:.3g} e-/ADU, {why}: it counts the converter's steps, of which these files hold "
        f"{factor} ADU each. {egain:.3g} e-/ADU was used."
    )
    return egain, Origin.CORRECTED, f"e-/ADU from EGAIN over {factor}", (warning,)
