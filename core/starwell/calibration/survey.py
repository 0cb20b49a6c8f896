"""Reads the headers of frames before they are combined: what does not belong is named, not averaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from types import MappingProxyType

from starwell.calibration.master import NAMES
from starwell.calibration.matching import same_exposure
from starwell.calibration.typed import BIAS_SECONDS, names, typed_otherwise
from starwell.errors import MasterMismatch, MasterMissing, StorageError
from starwell.files.frames import gather, open_facts
from starwell.frame import Facts, Kind

LEAST_FRAMES = 3
"""Fewer frames cannot tell a cosmic ray from the sensor."""
SPREAD_CELSIUS = 2.0
"""Darks and biases whose temperatures lie further apart than this are not of one kind."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The frames that belong together, what they have in common, and what was remarked."""

    files: tuple[Path, ...]
    facts: Facts
    unreadable: Mapping[Path, str]
    warnings: tuple[str, ...]


def survey(kind: Kind, paths: Iterable[Path | str], *, any_type: bool = False) -> Survey:
    """Check that these files and folders are frames of one kind, taken alike.

    any_type: believe the caller, not IMAGETYP. Raises MasterMismatch naming the files that differ,
    MasterMissing when fewer than three frames can be read.
    """
    found: dict[Path, Facts] = {}
    unreadable: dict[Path, str] = {}
    for path in gather(paths):
        try:
            found[path] = open_facts(path)
        except StorageError as error:
            unreadable[path] = str(error)
    enough(kind, len(found), unreadable)
    faults, warnings = typed_otherwise(kind, found, any_type=any_type)
    faults += [fault for fault in (_mixed(kind, field, found) for field in _FIELDS) if fault]
    faults += _temperatures(kind, found)
    if kind is Kind.BIAS:
        faults += _long(found)
    if faults:
        raise MasterMismatch(
            f"These {len(found)} frames do not belong into one {NAMES[kind]} master. Nothing was combined: "
            + "\n  ".join(["give the frames of one kind and setting at a time.", *faults])
        )
    warnings += [note for note in (_unstated(field, found) for field in _FIELDS) if note]
    warnings += _flat_exposures(kind, found)
    facts = _common(kind, list(found.values()))
    return Survey(tuple(found), facts, MappingProxyType(unreadable), tuple(warnings))


def enough(kind: Kind, usable: int, left_out: Mapping[Path, str]) -> None:
    """MasterMissing when fewer than three frames are left, saying why the others are not."""
    if usable >= LEAST_FRAMES:
        return
    because = " ".join(left_out.values())
    raise MasterMissing(
        f"A {NAMES[kind]} master needs at least {LEAST_FRAMES} good frames, to tell cosmic rays and leaks "
        f"from the sensor; here there {'is' if usable == 1 else 'are'} {usable}. {because}".rstrip()
    )


@dataclass(frozen=True, slots=True)
class _Field:
    word: str
    value: Callable[[Facts], object]
    shown: Callable[[object], str]
    flats_only: bool = False
    not_flats: bool = False


_FIELDS = (
    _Field("size", lambda f: f.shape, lambda v: "×".join(str(n) for n in reversed(v))),  # type: ignore[call-overload]
    _Field("exposure", lambda f: f.exposure.seconds, lambda v: f"{v:g} s", not_flats=True),
    _Field("gain", lambda f: f.exposure.gain, lambda v: f"{v:g}"),
    _Field("offset", lambda f: f.exposure.offset, lambda v: f"{v:g}"),
    _Field("binning", lambda f: f.exposure.bin, str),
    _Field("window", lambda f: f.exposure.roi, lambda v: "{},{} {}×{}".format(*v)),  # type: ignore[misc]
    _Field("Bayer pattern", lambda f: f.bayer, str),
    _Field("camera", lambda f: f.camera and f.camera.strip(), str),
    _Field("filter", lambda f: f.exposure.filter and f.exposure.filter.strip(), str, flats_only=True),
)


def _applies(kind: Kind, field: _Field) -> bool:
    return not (field.not_flats if kind is Kind.FLAT else field.flats_only)


def _groups(field: _Field, found: Mapping[Path, Facts]) -> list[tuple[object, list[Path]]]:
    """The files by what they say of one field, the largest group first; those that say nothing left out."""
    groups: list[tuple[object, list[Path]]] = []
    for path, facts in found.items():
        value = field.value(facts)
        if value is None:
            continue
        for known, members in groups:
            alike = known == value
            if field.word == "exposure" and isinstance(known, float) and isinstance(value, float):
                alike = same_exposure(known, value)
            if alike:
                members.append(path)
                break
        else:
            groups.append((value, [path]))
    return sorted(groups, key=lambda group: -len(group[1]))


def _mixed(kind: Kind, field: _Field, found: Mapping[Path, Facts]) -> str | None:
    groups = _groups(field, found)
    if len(groups) < 2 or not _applies(kind, field):
        return None
    value, members = groups[0]
    parts = [f"{field.shown(value)} ({len(members)} {'frame' if len(members) == 1 else 'frames'})"]
    parts += [f"{field.shown(value)} ({names(members)})" for value, members in groups[1:]]
    return f"{field.word} differs: {', '.join(parts)}"


def _unstated(field: _Field, found: Mapping[Path, Facts]) -> str | None:
    silent = [path for path, facts in found.items() if field.value(facts) is None]
    if not silent or len(silent) == len(found) or field.word == "window":
        return None
    return f"{field.word.capitalize()} unchecked for {names(silent)}: the headers do not note it."


def _temperatures(kind: Kind, found: Mapping[Path, Facts]) -> list[str]:
    celsius = {path: f.sensor_celsius for path, f in found.items() if f.sensor_celsius is not None}
    if kind is Kind.FLAT or len(celsius) < 2:
        return []
    ordered = sorted(celsius.values())
    middle = ordered[len(ordered) // 2]
    if ordered[-1] - ordered[0] <= SPREAD_CELSIUS:
        return []
    off = [path for path, t in celsius.items() if abs(t - middle) > SPREAD_CELSIUS / 2]
    return [f"temperature runs from {ordered[0]:.1f} to {ordered[-1]:.1f} °C: {names(off)}"]


def _flat_exposures(kind: Kind, found: Mapping[Path, Facts]) -> list[str]:
    groups = _groups(_FIELDS[1], found)
    if kind is not Kind.FLAT or len(groups) < 2:
        return []
    seconds = [facts.exposure.seconds for facts in found.values() if facts.exposure.seconds is not None]
    return [
        f"The flats were exposed {min(seconds):g} to {max(seconds):g} s: each is scaled to the others, which "
        "suits twilight; one bias serves them all, one dark flat does not."
    ]


def _long(found: Mapping[Path, Facts]) -> list[str]:
    long = [path for path, facts in found.items() if (facts.exposure.seconds or 0) > BIAS_SECONDS]
    if not long:
        return []
    return [f"{found[long[0]].exposure.seconds:g} s is no bias's exposure: {names(long)}"]


def _common(kind: Kind, facts: list[Facts]) -> Facts:
    celsius = [f.sensor_celsius for f in facts if f.sensor_celsius is not None]
    seconds = [f.exposure.seconds for f in facts if f.exposure.seconds is not None]
    first = facts[0]
    exposure = replace(first.exposure, kind=kind, seconds=fmean(seconds) if seconds else None)
    return replace(
        first,
        exposure=exposure,
        sensor_celsius=fmean(celsius) if celsius else None,
        target=None,
        flags=(),
    )
