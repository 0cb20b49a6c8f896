"""A look at everything before the night: the masters, the lights' headers, and one sub of each group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library_kept import Kept
from starwell.calibration.library_need import Need, needs
from starwell.calibration.library_noise import Planned
from starwell.calibration.library_survey import Remark, survey_lights, survey_masters
from starwell.calibration.master import Masters
from starwell.errors import MasterError, StorageError
from starwell.files.frames import open_frame
from starwell.frame import Facts, Frame, Kind
from starwell.sensor.store import find as measured_sensor
from starwell.sensor.sub_exposure import Exposed
from starwell.session.advice_audit import Audit, judge
from starwell.session.automatic import WITHOUT, Chooser
from starwell.session.intake import Intake, Unfit
from starwell.session.light_groups import Group, groups_of
from starwell.session.light_leak import light_leak
from starwell.session.master_audit import look_over
from starwell.session.plan import MasterPaths
from starwell.session.sets import LightSet
from starwell.session.wanted import AUTO

_ALL = MasterPaths(bias=AUTO, dark=AUTO, flat=AUTO)


@dataclass(frozen=True, slots=True)
class LightsAudit:
    """One group of lights: what they are, the masters they need or have, what one sub shows of them."""

    label: str
    count: int
    needs: tuple[Need, ...]
    residual: Audit | None
    remarks: tuple[Remark, ...]


def audit_masters(kept: Sequence[Kept]) -> list[Remark]:
    """Ages, frames and headers of masters; raw darks and biases are looked at for light that gets in."""
    remarks = survey_masters([one for one in kept if one.finished])
    for one in kept:
        if one.finished or one.kind is Kind.FLAT:
            continue
        try:
            first, second = (open_frame(file) for file in one.files[:2])
            leak = light_leak(first, second)
        except StorageError as error:
            remarks.append(Remark(one.name, str(error), serious=True))
            continue
        if leak is not None:
            remarks.append(Remark(one.name, f"light gets in: {leak}.", serious=True))
    return remarks


def audit_lights(
    lights: LightSet, among: Sequence[Kept], *, subs: int | None = None, positions: int = 1
) -> list[LightsAudit]:
    """Each group of a set: its needs, with the noise of what is there, and what one of its subs shows.

    subs: how many the stack is to have, as many as there are when None. positions: dither positions.
    """
    headers = survey_lights(dict(zip(lights.files, lights.every, strict=True)))
    found = []
    for group in groups_of(lights.facts_by_number()):
        frame, masters, remarks = _opened(lights, group, among)
        remarks = [*headers, *remarks]
        planned, residual = None, None
        if frame is not None:
            planned, more = _planned(frame, masters, subs or len(lights.files), positions)
            remarks += more
            residual = look_over(frame, masters, Intake(Calibrator(masters, frame.facts), masters))
            remarks += [Remark("masters", f.advice, f.serious) for f in (judge(residual) if residual else [])]
        wanted = tuple(needs(group.facts, among, planned))
        found.append(LightsAudit(_label(group), len(group.numbers), wanted, residual, tuple(remarks)))
        headers = []  # said once
    return found


def _opened(
    lights: LightSet, group: Group, among: Sequence[Kept]
) -> tuple[Frame | None, Masters, list[Remark]]:
    """The group's middle sub and the masters that fit it."""
    number = group.numbers[len(group.numbers) // 2]
    try:
        frame = lights.frame(number)
    except StorageError as error:
        return None, Masters(), [Remark("lights", str(error), serious=True)]
    mine: Mapping[int, Facts] = {number: replace(group.facts, number=number)}
    remarks: list[Remark] = []
    try:
        chosen = Chooser(_ALL, among, go_without=True).choose(mine, lights.frame).of[number]
    except MasterError as error:
        return frame, Masters(), [Remark("masters", str(error), serious=True)]
    # what is missing is among the needs
    told = (w for w in chosen.warnings if not w.startswith(WITHOUT))
    return frame, chosen, [*remarks, *(Remark("masters", warning) for warning in told)]


def _planned(
    frame: Frame, masters: Masters, subs: int, positions: int
) -> tuple[Planned | None, list[Remark]]:
    """The stack planned, from one sub above its dark; and what the sub says of e-/ADU in its header."""
    intake = Intake(Calibrator(masters, frame.facts), masters, sensor=measured_sensor(frame.facts))
    taken = intake.take(frame)
    if isinstance(taken, Unfit):
        return None, [Remark("lights", f"{_name(frame)}: {taken.reason}, {taken.detail}.", serious=True)]
    if intake.findings is None:
        return None, [Remark("lights", f"{_name(frame)} shows no stars: its sky is not measured.")]
    remarks = [Remark("e-/ADU", told, told.startswith("EGAIN")) for told in intake.findings.warnings]
    seconds = frame.facts.exposure.seconds
    if not intake.pedestal_is_off or not seconds:
        return None, remarks
    calibrated, candidate = taken
    sky = candidate.measured.background.sky_adu
    model = intake.model
    sub = Exposed(
        seconds=seconds,
        sky_e_s=float(sky[len(sky) // 2]) * model.egain / seconds,
        dark_e_s=calibrated.dark_adu * model.egain / seconds,
        read_noise_e=model.read_noise_e,
        full_e=calibrated.saturation_adu * model.egain,
    )
    return Planned(sub, subs, positions), remarks


def _label(group: Group) -> str:
    facts = group.facts
    shot = facts.exposure
    parts = [
        f"{facts.started:%Y-%m-%d}" if facts.started is not None else "",
        shot.filter or "",
        f"{shot.seconds:g} s" if shot.seconds is not None else "",
        f"gain {shot.gain:g}" if shot.gain is not None else "",
        f"{facts.sensor_celsius:.1f} °C" if facts.sensor_celsius is not None else "",
    ]
    return ", ".join(part for part in parts if part) or "lights"


def _name(frame: Frame) -> str:
    source: Path | None = frame.facts.source
    return source.name if source is not None else f"sub {frame.facts.number}"
