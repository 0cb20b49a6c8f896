"""What headers say before the night: lights that are of several kinds, masters old or of few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starwell.calibration.library_kept import Kept
from starwell.calibration.master import NAMES
from starwell.calibration.survey import SPREAD_CELSIUS
from starwell.calibration.typed import names
from starwell.frame import Facts, Kind

OLD_DAYS = 180
"""Hot pixels come and go: a dark or bias older than this is due."""
FEW_FRAMES = 15


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know before the night. serious: it would spoil lights, not only cost a little noise."""

    subject: str
    words: str
    serious: bool = False


_FIELDS: tuple[tuple[str, Callable[[Facts], object], bool], ...] = (
    ("camera", lambda f: f.camera, True),
    ("gain", lambda f: f.exposure.gain, True),
    ("offset", lambda f: f.exposure.offset, True),
    ("exposure", lambda f: f.exposure.seconds, False),
    ("binning", lambda f: f.exposure.bin, True),
    ("size", lambda f: f.shape, True),
    ("Bayer pattern", lambda f: f.bayer, True),
    ("temperature", lambda f: f.sensor_celsius, False),
    ("date", lambda f: f.started, False),
)
_MIXED = ("camera", "gain", "offset", "binning", "size", "Bayer pattern")


def survey_lights(lights: Mapping[Path, Facts]) -> list[Remark]:
    """Mixed settings, drifting temperatures and keywords that are not there, in lights of one set."""
    remarks: list[Remark] = []
    unnoted: list[str] = []
    for field, value, serious in _FIELDS:
        by_value: dict[object, list[Path]] = {}
        for path, facts in lights.items():
            by_value.setdefault(value(facts), []).append(path)
        silent = by_value.pop(None, [])
        if len(silent) == len(lights):
            unnoted.append(field)
        elif silent and field != "Bayer pattern":
            words = f"{len(silent)} of {len(lights)} lights do not note their {field}: {names(silent)}."
            remarks.append(Remark("lights", words, serious))
        if len(by_value) > 1 and field in _MIXED:
            parts = (f"{_shown(v)} ({names(paths)})" for v, paths in by_value.items())
            remarks.append(Remark("lights", f"The lights differ in {field}: {', '.join(parts)}.", True))
    quiet = [field for field in unnoted if field != "Bayer pattern"]
    if quiet:
        words = f"No light notes its {_listed(quiet)}: masters are matched without."
        remarks.append(Remark("lights", words))
    celsius = sorted(f.sensor_celsius for f in lights.values() if f.sensor_celsius is not None)
    if celsius and celsius[-1] - celsius[0] > SPREAD_CELSIUS:
        words = f"The lights were taken at {celsius[0]:.1f} to {celsius[-1]:.1f} °C: they take several darks."
        remarks.append(Remark("lights", words))
    return remarks + _off_setpoint(lights)


def _off_setpoint(lights: Mapping[Path, Facts]) -> list[Remark]:
    off = [
        path
        for path, f in lights.items()
        if f.setpoint_celsius is not None
        and f.sensor_celsius is not None
        and abs(f.sensor_celsius - f.setpoint_celsius) > 1
    ]
    if not off:
        return []
    return [Remark("lights", f"The cooler did not hold its setpoint in {len(off)} of them: {names(off)}.")]


def survey_masters(kept: Iterable[Kept], at: datetime | None = None) -> list[Remark]:
    """Masters that are old, of few frames, or do not note what they are matched by."""
    remarks = []
    for one in kept:
        quiet = [word for word, value in _matched_by(one).items() if value is None]
        if quiet:
            words = f"it does not note its {_listed(quiet)}: it is matched without."
            remarks.append(Remark(one.name, words))
        age = one.age_days(at)
        if age is not None and age > OLD_DAYS and one.kind is not Kind.FLAT:
            remarks.append(Remark(one.name, f"this {NAMES[one.kind]} is {age:.0f} days old: shoot it anew."))
        if 0 < one.frames < FEW_FRAMES:
            words = f"it is made of {one.frames} frames: their noise goes into every stack."
            remarks.append(Remark(one.name, words))
        remarks += [Remark(one.name, warning) for warning in one.warnings]
    return remarks


def _matched_by(kept: Kept) -> dict[str, object]:
    fields: dict[str, object] = {"camera": kept.camera}
    if kept.kind is Kind.FLAT:
        return {**fields, "date": kept.date}
    fields |= {"gain": kept.gain, "offset": kept.offset}
    if kept.kind is not Kind.BIAS:
        fields |= {"exposure": kept.seconds, "temperature": kept.celsius}
    return fields


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return "×".join(str(n) for n in reversed(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
