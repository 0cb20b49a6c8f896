"""The first half of every sub's walk: fit to be looked at, calibrated, measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from starwell.calibration.calibrate import Calibrated, Calibrator
from starwell.calibration.calibrators import Calibrators
from starwell.calibration.defects import Defects, Repair
from starwell.calibration.master import Masters
from starwell.errors import MasterMismatch, StorageError
from starwell.frame import Colour, Facts, Float32, Frame, Mask, Planes
from starwell.measure.gain import SensorFindings, sensor_model
from starwell.measure.quality import Reason
from starwell.measure.sub import Measured, measure
from starwell.measure.warnings import is_constant, sub_warnings
from starwell.sensor.model import SensorModel
from starwell.session.ahead import ahead
from starwell.session.events import SubMeasured
from starwell.session.registration import Candidate

Reread = Callable[[int], Frame]
"""Hands out the frame of this number again, from disk or wherever it is safe."""


class Reader(Protocol):
    """The same, into the last bytes of a float32 frame's room where that is given."""

    def __call__(self, number: int, room: Float32 | None = None) -> Frame:
        """Raises StorageError."""


_MOST_NAN = 0.01
"""Above this share of pixels that are no number a sub is refused; fewer are repaired like defects."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A sub that cannot be measured."""

    reason: Reason
    detail: str
    facts: Facts


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A sub calibrated and measured, before anything is known of the others."""

    calibrated: Calibrated
    measured: Measured
    warnings: tuple[str, ...]

    @property
    def facts(self) -> Facts:
        """What is known of the frame."""
        return self.calibrated.facts

    def without_pixels(self) -> Prepared:
        """What makes a candidate of it, and no more."""
        none = np.empty((0, 0), np.float32)
        small = replace(self.calibrated, pixels=none, flat=None, defects_xy=np.empty((0, 2), np.intp))
        return replace(self, calibrated=small)


class Intake:
    """Calibrates and measures the subs of one stack; the first one measured decides the sensor model.

    also: further masters in use, where the calibrator has several sets of them.
    """

    def __init__(
        self,
        calibrator: Calibrator | Calibrators,
        masters: Masters,
        *,
        also: Sequence[Masters] = (),
        colour: Colour = Colour.FULL,
        sensor: SensorModel | None = None,
    ) -> None:
        self.masters = masters.without_pixels()
        self.also = tuple(others.without_pixels() for others in also)
        self.facts: Facts = calibrator.facts
        self.planes = Planes.of(calibrator.facts, colour)
        self.findings: SensorFindings | None = None
        told = [warning for chosen in (masters, *also) for warning in chosen.warnings]
        self.warnings: tuple[str, ...] = tuple(dict.fromkeys((*told, *calibrator.warnings)))
        self._calibrator = calibrator
        self._sensor = sensor
        self._scratch: Float32 | None = None

    @property
    def model(self) -> SensorModel:
        """The sensor model; LookupError before the first sub was measured."""
        if self.findings is None:
            raise LookupError("no sub has been measured yet")
        return self.findings.model

    @property
    def pedestal_is_off(self) -> bool:
        """Whether the level of a calibrated sub is light: a dark or a bias was subtracted."""
        return self.masters.dark is not None or self.masters.bias is not None

    def take(self, frame: Frame) -> tuple[Calibrated, Candidate] | Unfit:
        """Calibrate and measure a sub of the stack; one that cannot be measured comes as its reason."""
        sub = self.prepare(frame)
        return sub if isinstance(sub, Unfit) else (sub.calibrated, self.candidate(sub))

    def prepare(self, frame: Frame, room: Float32 | None = None) -> Prepared | Unfit:
        """Calibrate and measure; a sub that cannot be measured comes back as its reason.

        Depends on no other sub, and may be called from any thread that brings room of its own. The frame's
        pixels may lie at the end of the room, and are then overwritten.
        """
        if frame.facts.shape != self.facts.shape:
            (h, w), (height, width) = frame.facts.size, self.facts.size
            return Unfit(Reason.DIFFERENT_SIZE, f"{w}×{h} px among subs of {width}×{height}", frame.facts)
        failed = _failed_readout(frame)
        if failed is not None:
            return failed
        warnings = sub_warnings(frame)
        calibrated = self.calibrate(frame, room)
        if isinstance(calibrated, Unfit):
            return calibrated
        measured = measure(calibrated.pixels, self.planes, saturation_adu=calibrated.saturation_adu)
        return Prepared(calibrated, measured, warnings)

    def prepared(
        self, numbers: Iterable[int], read: Reader, *, count: int = 1
    ) -> Iterator[Prepared | Unfit | StorageError]:
        """These subs in their order, the next `count` read and prepared while one is used.

        The pixels of one are good until the next is asked for. Unreadable ones come as their fault.
        """

        def prepare(number: int, room: Float32) -> Prepared | Unfit | StorageError:
            try:
                frame = read(number, room)
            except StorageError as error:
                return error
            return self.prepare(frame, room)

        return ahead(prepare, numbers, self.facts.shape, count=count)

    def candidate(self, sub: Prepared) -> Candidate:
        """The sub as one of the stack's; the first that shows stars decides the sensor model."""
        if self.findings is None and sub.measured.stars.count > 0:
            self.findings = self._find_model(sub.facts, sub.measured, sub.calibrated)
        return Candidate(sub.facts.number, sub.facts, sub.measured, sub.warnings)

    def apart(self, findings: SensorFindings | None = None) -> Intake:
        """The same masters for another thread or machine, with the sensor's model where it is known."""
        other = copy(self)
        other.findings, other._scratch = findings, None
        return other

    @contextmanager
    def working_in(self, room: Float32) -> Iterator[None]:
        """Calibrate what is read again in this room, a sub's own that is used no more."""
        own, self._scratch = self._scratch, room
        try:
            yield
        finally:
            self._scratch = own

    @property
    def room(self) -> Float32:
        """A frame's room that the next calibration without room of its own overwrites."""
        return self._room(self.facts.shape)

    @property
    def spare_room(self) -> Float32 | None:
        """The same, where there is one yet."""
        return self._scratch

    def _room(self, shape: tuple[int, ...]) -> Float32:
        if self._scratch is None or self._scratch.shape != shape:
            self._scratch = np.empty(shape, np.float32)
        return self._scratch

    def calibrate(self, frame: Frame, room: Float32 | None = None) -> Calibrated | Unfit:
        """The calibrated sub, in this room, or else in the one that the next call overwrites."""
        if room is None:
            room = self._room(frame.pixels.shape)
        try:
            calibrated = self._calibrator.calibrate(frame, out=room)
        except MasterMismatch as mismatch:
            return Unfit(Reason.MASTERS_DO_NOT_FIT, str(mismatch), frame.facts)
        if frame.pixels.dtype.kind == "f":
            return _without_nan(calibrated)
        return calibrated

    def measured_event(self, candidate: Candidate) -> SubMeasured:
        """What the screen shows of a measured sub."""
        measured, stars = candidate.measured, candidate.measured.stars
        channel = len(measured.sigma_adu) // 2
        sigma, sky = float(measured.sigma_adu[channel]), float(measured.background.sky_adu[channel])
        model = self.findings.model if self.findings else SensorModel(1.0, 0.0)
        above = sky if self.pedestal_is_off else None
        return SubMeasured(
            number=candidate.number,
            stars=stars.count,
            fwhm_px=_known(stars.fwhm_px),
            hfr_px=_known(stars.hfr_px),
            eccentricity=_known(stars.eccentricity),
            angle_deg=_known(stars.angle_deg),
            sky_adu=sky,
            sigma_adu=sigma,
            sky_e=None if above is None else above * model.egain,
            sigma_e=sigma * model.egain,
            sensor_sigma_e=self._allowed_sigma_e(above, model),
            saturated_fraction=measured.saturated_fraction,
            warnings=candidate.warnings,
        )

    def _allowed_sigma_e(self, above_dark_adu: float | None, model: SensorModel) -> float | None:
        if above_dark_adu is None:
            return None
        variance = model.variance_adu(above_dark_adu, dark_adu=self._calibrator.dark_adu)
        return math.sqrt(float(variance)) * model.egain

    def _find_model(self, facts: Facts, measured: Measured, calibrated: Calibrated) -> SensorFindings:
        return sensor_model(
            facts,
            measured,
            sensor=self._sensor,
            masters_egain=self.masters.learnt("egain"),
            masters_read_noise_e=self.masters.learnt("read_noise_e"),
            sky_is_above_dark=self.pedestal_is_off,
            dark_adu=calibrated.dark_adu,
        )


def _failed_readout(frame: Frame) -> Unfit | None:
    """A frame of one value is no picture; a dark would lend it a pattern that looks like one."""
    pixels = frame.pixels
    value = pixels.flat[0]
    if not is_constant(pixels):
        return None
    reason = Reason.SATURATED if value >= frame.facts.saturation_adu else Reason.BLACK
    return Unfit(reason, f"every pixel has the value {value:g}", frame.facts)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _without_nan(calibrated: Calibrated) -> Calibrated | Unfit:
    """The same with pixels that are no number repaired from their neighbours, or refused as too many."""
    bad: Mask = ~np.isfinite(calibrated.pixels)
    share = float(bad.mean())
    if share > _MOST_NAN:
        return Unfit(Reason.NOT_A_NUMBER, f"{share:.0%} of the pixels", calibrated.facts)
    if share > 0:
        calibrated.pixels[bad] = np.nan
        flat = bad if bad.ndim == 2 else np.any(bad, axis=0)
        step = 2 if calibrated.facts.bayer is not None and calibrated.pixels.ndim == 2 else 1
        Repair(Defects.of(flat), step).apply(calibrated.pixels)
    return calibrated
