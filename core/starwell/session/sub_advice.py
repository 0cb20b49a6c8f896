"""`starwell advise` without its words: one sub, what is known of its sensor, and how long subs should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import load_masters
from starwell.calibration.master import Masters
from starwell.camera.readout import DOUBLING_K
from starwell.errors import MasterMissing, PlanError
from starwell.files.frames import levels_of_set, open_frame
from starwell.files.levels import with_levels
from starwell.frame import Facts, Frame, Planes
from starwell.measure.gain import SensorFindings, sensor_model
from starwell.measure.sub import Measured, measure
from starwell.sensor.model import Origin, SensorModel
from starwell.sensor.store import Known, SensorStore
from starwell.sensor.sub_exposure import ENOUGH_STARS, Exposed
from starwell.session.automatic import Chooser, at_hand
from starwell.session.plan import MasterPaths
from starwell.session.wanted import AUTO

_CHANNELS = ("R", "G", "B")
_TOP = 0.98
"""Part of saturation at which a star counts as saturated."""


@dataclass(frozen=True, slots=True)
class AtGain:
    """The same sky at one gain of the camera."""

    gain: float | None
    offset: float | None
    egain: float
    sub: Exposed


@dataclass(frozen=True, slots=True)
class Advised:
    """What one sub tells. channels: by name (empty in mono); sub: the one to go by, green in colour.

    others: every analysed gain of the camera. dark_from: where the dark current is from, in words.
    """

    facts: Facts
    model: SensorModel
    source: str
    channels: dict[str, Exposed]
    sub: Exposed
    dark_from: str
    others: tuple[AtGain, ...]
    warnings: tuple[str, ...]


def advise(
    light: Path,
    *,
    dark: str | None = None,
    bias: str | None = None,
    egain: float | None = None,
    read_noise_e: float | None = None,
    dark_e_s: float | None = None,
) -> Advised:
    """Measure the sky of this sub above its dark or bias and hold it against the sensor.

    egain: in e- per ADU of the file; it, read_noise_e and dark_e_s overrule what is known. Without dark and
    bias the level of the kept sensor analysis is taken off. Raises MasterMissing without any of these,
    PlanError for a sub of unknown exposure.
    """
    frame = _opened(light)
    facts = frame.facts
    store = SensorStore()
    known = store.known(facts)
    masters = _masters(dark, bias, known, facts)
    calibrator = Calibrator(masters, facts)
    calibrated = calibrator.calibrate(frame)
    planes = Planes.of(facts)
    measured = measure(calibrated.pixels, planes, saturation_adu=calibrated.saturation_adu)
    found = _sensor(facts, measured, known, masters, calibrated.dark_adu)
    model = _overruled(found.model, egain, read_noise_e)
    seconds = facts.exposure.seconds or 0.0
    rate, dark_from = _dark_rate(dark_e_s, known, facts, calibrated.dark_adu * model.egain / seconds)
    full = _full_e(calibrated.saturation_adu * model.egain, known)
    mixed = 0.0 if masters.dark is not None else rate
    channels = dict(zip(_names(planes), _exposed(seconds, measured, model, rate, mixed, full), strict=True))
    sub = channels["G"] if "G" in channels else channels[""]
    return Advised(
        facts,
        model,
        found.source if egain is None else f"e-/ADU as given: {egain:.3g}",
        channels,
        sub,
        dark_from,
        tuple(_at_gain(other, sub) for other in store.of_camera(facts)),
        (*masters.warnings, *calibrator.warnings, *found.warnings),
    )


def _opened(light: Path) -> Frame:
    """The sub with its levels; PlanError where its exposure is unknown."""
    frame = open_frame(light)
    if not frame.facts.exposure.seconds:
        raise PlanError(f"{light.name} does not say how long it was exposed: no rate can be told.")
    return Frame(with_levels(frame.facts, levels_of_set([frame.pixels])), frame.pixels)


def _masters(dark: str | None, bias: str | None, known: Known | None, facts: Facts) -> Masters:
    """The masters named, else the bias level of the sensor analysis, which has to be of the same offset."""
    if AUTO in (dark, bias):
        beside = [] if facts.source is None else [facts.source]
        wanted = MasterPaths(bias=bias, dark=dark)
        return Chooser(wanted, at_hand(beside, {})).choose({0: facts}, _asked_again).of[0]
    if dark is not None or bias is not None:
        return load_masters(bias=bias, dark=dark, lights=facts)
    if known is None or known.bias_adu is None or known.setting.offset != facts.exposure.offset:
        raise MasterMissing(
            "How much of a sub's level is sky takes its --dark (or --bias, a number will do), or a sensor "
            "analysis of this camera at this gain and offset (starwell sensor)."
        )
    return load_masters(bias=known.bias_adu * (1 << facts.adu_shift), lights=facts)


def _asked_again(number: int) -> Frame:
    raise LookupError(f"no flat is chosen for sub {number}: it is not asked again")


def _sensor(
    facts: Facts, measured: Measured, known: Known | None, masters: Masters, dark_adu: float
) -> SensorFindings:
    return sensor_model(
        facts,
        measured,
        sensor=None if known is None else known.model(facts),
        masters_egain=masters.learnt("egain"),
        masters_read_noise_e=masters.learnt("read_noise_e"),
        sky_is_above_dark=True,
        dark_adu=dark_adu,
    )


def _full_e(saturated_e: float, known: Known | None) -> float:
    """Where stars saturate: the converter's end, or the well where that is known to be full before."""
    if known is None or known.full_well_e is None:
        return saturated_e
    return min(saturated_e, known.full_well_e)


def _exposed(
    seconds: float, measured: Measured, model: SensorModel, rate: float, mixed: float, full_e: float
) -> Iterator[Exposed]:
    """Each channel of the sub. mixed: the dark current that is still in its level."""
    top = _TOP * full_e / model.egain
    peaks = np.sort(measured.stars.peak_adu)[::-1]
    star = float(peaks[min(ENOUGH_STARS, len(peaks) - 1)]) * model.egain if len(peaks) else None
    for sky_adu in measured.background.sky_adu:
        yield Exposed(
            seconds=seconds,
            sky_e_s=float(sky_adu) * model.egain / seconds - mixed,
            dark_e_s=rate,
            read_noise_e=model.read_noise_e,
            full_e=full_e,
            star_e=star,
            saturated_stars=int(np.count_nonzero(peaks >= top - float(sky_adu))),
        )


def _names(planes: Planes) -> tuple[str, ...]:
    return _CHANNELS if planes.channels == 3 else ("",)


def _overruled(model: SensorModel, egain: float | None, read_noise_e: float | None) -> SensorModel:
    if egain is None and read_noise_e is None:
        return model
    return replace(
        model,
        egain=model.egain if egain is None else egain,
        read_noise_e=model.read_noise_e if read_noise_e is None else read_noise_e,
        origin=Origin.ASSUMED,
    )


def _dark_rate(
    given: float | None, known: Known | None, facts: Facts, of_masters: float
) -> tuple[float, str]:
    """Dark current in e-/s and where it is from: the call, the masters, the analysis, or none."""
    if given is not None:
        return given, "as given"
    if of_masters > 0:
        return of_masters, "the dark above the bias"
    if known is None or known.dark_e_per_s is None:
        return 0.0, "unknown, taken as none"
    rate, there, here = max(known.dark_e_per_s, 0.0), known.dark_celsius, facts.sensor_celsius
    if there is None or here is None:
        return rate, "the sensor analysis"
    return rate * 2 ** ((here - there) / DOUBLING_K), f"the sensor analysis, brought to {here:.1f} °C"


def _at_gain(known: Known, sub: Exposed) -> AtGain:
    """The same rates on the sensor at another gain; the full well is what that analysis saw."""
    full = known.full_well_e if known.full_well_e is not None else sub.full_e
    there = replace(sub, read_noise_e=known.read_noise_e, full_e=full)
    return AtGain(known.setting.gain, known.setting.offset, known.egain, there)
