"""What the last subs' numbers mean: one function per cause, each with the next best step.

Every function sees the samples oldest first and returns what it found, or None. They tell causes apart by
what physics does to the numbers together: clouds dim stars and change the sky within minutes; dew dims them
over an hour, widens them and leaves the sky; focus widens them and dims nothing; the mount makes them long,
in one direction where it tracks badly and in any where the wind shakes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from starwell.frame import Float64
from starwell.session.advice_history import Sample, column


class Cause(StrEnum):
    """What advice is about, as people read it."""

    CLOUD = "cloud"
    TRACKING = "tracking"
    WIND = "wind"
    FOCUS = "focus"
    DEW = "dew"
    WALKING_NOISE = "walking noise"
    MASTERS = "masters"
    STRAY_LIGHT = "stray light"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it."""

    cause: Cause
    advice: str
    serious: bool = False


_LAST = 5
_LONG_WINDOW = 16
_LONG_AXES = 1.2
_MANY_LONG = 6
_MANY_ALIKE = 8
_ONE_DIRECTION = 0.85
_ANY_DIRECTION = 0.6
_VERY_LONG = 1.6
_FOCUS_HFR = 1.15
_FAR_OUT_HFR = 1.4
_FOCUS_SUBS = 12
_NOT_DIMMED = 0.93
_DEW_SUBS = 15
_DEW_FLUX = 0.85
_DEW_HFR = 1.07
_SKY_STEADY = 0.08
_SUDDEN = 0.12
_VEIL_FLUX = 0.75
_VEIL_SKY = 1.12
_DRIFT_SUBS = 20
_DRIFT_RATIO = 3.0
_DRIFT_PX = 2.0


def cloud(samples: Sequence[Sample]) -> Finding | None:
    """Stars dimmed within a few subs while the sky changed; or slowly, under a sky that got brighter."""
    last = samples[-3:]
    if sum(s.cloudy for s in last) >= 2:
        under = [s for s in last if s.cloudy]
        dimmed, sky = _last(under, "flux"), _last(under, "sky")
        seen = f"stars at {dimmed:.0%} of the night's best, the sky at {sky:.0%} of its usual level"
        step = "Subs go on being saved and are weighted by what they are worth; wait, or stop the sequence."
        return Finding(Cause.CLOUD, f"Clouds: {seen}. {step}")
    if len(samples) < _DEW_SUBS:
        return None
    flux, sky, hfr = (_last(samples, name) for name in ("flux", "sky", "hfr"))
    if flux < _VEIL_FLUX and sky > _VEIL_SKY and not hfr > _FOCUS_HFR:
        seen = f"stars at {flux:.0%} of the night's best while the sky rose to {sky:.0%}"
        return Finding(Cause.CLOUD, f"Haze, or a target that sets: {seen}. Another target may do better now.")
    return None


def elongation(samples: Sequence[Sample]) -> Finding | None:
    """Long stars: the mount where their direction stays the same, the wind where it does not."""
    window = [s for s in samples[-_LONG_WINDOW:] if not s.cloudy]
    long = [s for s in window if s.axes > _LONG_AXES and math.isfinite(s.angle_deg)]
    if len(long) < _MANY_LONG:
        return None
    axes = float(np.median(column(long, "axes")))
    # An axis has no arrow: angles are averaged doubled.
    doubled = np.radians(2 * column(long, "angle_deg"))
    mean = np.exp(1j * doubled).mean()
    seen = f"stars are {axes:.2f} times as long as the night's roundest in {len(long)} of {len(window)} subs"
    if abs(mean) >= _ONE_DIRECTION and len(long) >= _MANY_ALIKE:
        angle = float(np.degrees(np.angle(mean)) / 2) % 180
        step = "Check guiding and balance, and cables that pull; polar alignment if it turns with the target."
        return Finding(
            Cause.TRACKING, f"Tracking: {seen}, always along {angle:.0f}°. {step}", axes > _VERY_LONG
        )
    if abs(mean) < _ANY_DIRECTION:
        step = "Shield the mount or shorten the exposure; the worst subs are kept out by themselves."
        return Finding(Cause.WIND, f"Wind or vibration: {seen}, in changing directions. {step}")
    return None


def dew(samples: Sequence[Sample]) -> Finding | None:
    """Stars slowly dimmer and wider under a steady sky."""
    if len(samples) < _DEW_SUBS:
        return None
    window = samples[-_DEW_SUBS:]
    flux, hfr = _last(samples, "flux"), _last(samples, "hfr")
    if not (flux < _DEW_FLUX and hfr > _DEW_HFR) or any(s.cloudy for s in window):
        return None
    fluxes = column(window, "flux")
    medians = np.array([np.nanmedian(fluxes[i : i + 3]) for i in range(0, _DEW_SUBS - 2, 3)])
    sudden = np.diff(medians).min() < -_SUDDEN
    if sudden or _slope(fluxes) >= 0 or abs(_last(samples, "sky") - 1) > _SKY_STEADY:
        return None
    seen = (
        f"stars faded to {flux:.0%} and widened to {hfr:.0%} over many subs, while the sky stayed as it was"
    )
    step = "Look at the front lens or corrector with a torch held aside, and turn the heater up."
    return Finding(Cause.DEW, f"Dew: {seen}. {step}", serious=True)


def focus(samples: Sequence[Sample]) -> Finding | None:
    """Round stars that got wider, and not fainter, than the best since the last focusing."""
    if len(samples) < _FOCUS_SUBS:
        return None
    hfr, flux = _last(samples, "hfr", _FOCUS_SUBS), _last(samples, "flux")
    long = sum(s.axes > _LONG_AXES for s in samples[-8:])
    dimmed = flux < _NOT_DIMMED or any(s.cloudy for s in samples[-_LAST:])
    if not hfr > _FOCUS_HFR or dimmed or long > 2 or _slope(column(samples[-_FOCUS_SUBS:], "hfr")) < 0:
        return None
    step = "Refocus; if the HFR stays, it is the seeing."
    seen = f"the HFR is {hfr - 1:.0%} above the best since the last focusing"
    return Finding(Cause.FOCUS, f"Focus: {seen}. {step}", hfr > _FAR_OUT_HFR)


def walking_noise(drift: Float64) -> Finding | None:
    """Subs that slide steadily instead of being dithered: |linear drift| over random scatter above 3.

    drift: number, x and y of the last subs, px, (n, 3).
    """
    if len(drift) < _DRIFT_SUBS:
        return None
    window = drift[-_DRIFT_SUBS:]
    velocity, scatter_px = _velocity(window)
    slid_px = float(np.hypot(*velocity) * np.ptp(window[:, 0]))
    if slid_px < _DRIFT_PX or slid_px <= _DRIFT_RATIO * scatter_px:
        return None
    # A few dithers may line up by chance, but hardly in both halves.
    halves = [_velocity(half)[0] for half in (window[: _DRIFT_SUBS // 2], window[_DRIFT_SUBS // 2 :])]
    if np.hypot(*(halves[0] - halves[1])) > 0.5 * np.hypot(*velocity):
        return None
    seen = (
        f"the subs slid steadily by {slid_px:.1f} px in {_DRIFT_SUBS} and only {scatter_px:.1f} px at random"
    )
    step = (
        "Dither (a [dither] in the plan), by several px, at least every few subs; it shows as streaks else."
    )
    return Finding(Cause.WALKING_NOISE, f"Walking noise to come: {seen}. {step}")


def temperature(now_celsius: float, at_focus_celsius: float) -> Finding | None:
    """The air has changed by 2 °C since the last focusing."""
    if abs(now_celsius - at_focus_celsius) < 2:
        return None
    moved = f"{at_focus_celsius:.1f} to {now_celsius:.1f} °C"
    return Finding(Cause.FOCUS, f"Focus: the temperature went from {moved} since the last focusing. Refocus.")


def _velocity(drift: Float64) -> tuple[Float64, float]:
    """Px per sub along x and y, and the rms scatter about that line, px."""
    numbers, places = drift[:, 0] - drift[:, 0].mean(), drift[:, 1:] - drift[:, 1:].mean(axis=0)
    velocity = numbers @ places / np.square(numbers).sum()
    rest = places - np.outer(numbers, velocity)
    return velocity, float(np.sqrt(np.square(rest).sum(axis=1).mean()))


def _last(samples: Sequence[Sample], name: str, count: int = _LAST) -> float:
    """The median of the last few; nan where none is known."""
    known = column(samples[-count:], name)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if known.size else math.nan


def _slope(values: Float64) -> float:
    """The median of all slopes between two of the values (Theil and Sen); 0 where there are too few."""
    place = np.flatnonzero(np.isfinite(values))
    if place.size < 3:
        return 0.0
    first, second = np.triu_indices(place.size, 1)
    rises = (values[place[second]] - values[place[first]]) / (place[second] - place[first])
    return float(np.median(rises))
