"""Lights sorted into groups that share their masters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import median

from starwell.calibration.library_kept import rotation_of, telescope_of
from starwell.files.dates import night_date
from starwell.frame import Facts, Kind

_STEP_CELSIUS = 2.0
"""Lights whose temperatures lie in one such step share a dark, which fits within half of it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lights that may share their masters. facts: the first's, at the group's own temperature and time."""

    numbers: tuple[int, ...]
    facts: Facts


def groups_of(lights: Mapping[int, Facts]) -> list[Group]:
    """Lights by everything masters are matched on: settings, window, filter, night, rotation, temperature."""
    members: dict[tuple[object, ...], list[int]] = {}
    for number, facts in lights.items():
        members.setdefault(_key(facts), []).append(number)
    return [Group(tuple(numbers), _typical([lights[n] for n in numbers])) for numbers in members.values()]


def _key(facts: Facts) -> tuple[object, ...]:
    shot, angle = facts.exposure, rotation_of(facts)
    night: object = None if facts.started is None else night_date(facts.started)
    if night is None and facts.source is not None:
        night = facts.source.parent
    warm = facts.sensor_celsius
    return (
        (facts.camera, facts.shape, facts.bayer, telescope_of(facts), facts.focal_mm),
        (replace(shot, kind=Kind.LIGHT), facts.setpoint_celsius is None),
        (night, None if angle is None else round(angle)),
        None if warm is None else round(warm / _STEP_CELSIUS),
    )


def _typical(members: Sequence[Facts]) -> Facts:
    celsius = [f.sensor_celsius for f in members if f.sensor_celsius is not None]
    times = sorted(f.started for f in members if f.started is not None)
    started: datetime | None = times[len(times) // 2] if times else None
    return replace(members[0], sensor_celsius=median(celsius) if celsius else None, started=started)
