"""The master that belongs to lights, from those at hand; where none does, the closest and what to shoot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from starwell.calibration.library_kept import Kept
from starwell.calibration.library_match import SAME_CELSIUS, Fit, held_against
from starwell.calibration.master import NAMES
from starwell.errors import MasterMissing
from starwell.files.dates import night_date
from starwell.frame import Facts, Kind

DARK_FRAMES = 30
"""How many frames of a missing series are advised."""
NEARLY = 1.5
"""Without darks on both sides, one within so many tolerances of an uncooled camera is taken, and told."""
_DARK_DAYS = 90
_MOST_APART = 10.0
_FAR_NIGHTS = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """What belongs to the lights. rivals: flats of the same night that headers cannot tell from kept.

    other, share: the dark on the other side of the lights' temperature, and how much of it belongs into a
    dark interpolated per pixel between the two.
    """

    kept: Kept
    warnings: tuple[str, ...] = ()
    rivals: tuple[Kept, ...] = ()
    other: Kept | None = None
    share: float = 0.0

    @property
    def explained(self) -> str:
        """Which it is, in words."""
        kept = self.kept
        what = f"{NAMES[kept.kind]}: {kept.name}"
        if self.other is not None:
            what = f"{NAMES[kept.kind]}: between {kept.name} and {self.other.name}"
        frames = f", {kept.frames} frames" if kept.frames and kept.finished else ""
        return f"{what}{frames}"


def find(kind: Kind, lights: Facts, among: Iterable[Kept]) -> Found:
    """The master of this kind for lights of these facts.

    For a dark flat the lights are the flats. MasterMissing names the closest, how it differs and the
    series that would fill the gap. No master is returned that calibration.matching.check refuses.
    """
    at = lights.started
    fits = [held_against(kept, lights) for kept in among if kept.kind is kind]
    fitting = sorted((fit for fit in fits if not fit.differences), key=lambda fit: _order(fit, lights, at))
    if not fitting:
        if kind is Kind.DARK and (between := _uncooled(fits, lights)) is not None:
            return between
        raise MasterMissing(missing_in_words(kind, lights, _nearest(fits)))
    best = fitting[0]
    rivals: tuple[Kept, ...] = ()
    if kind is Kind.FLAT:
        night = _nights_apart(best.kept, at)
        alike = [f.kept for f in fitting[1:] if _nights_apart(f.kept, at) == night]
        # headers that agree on the rotation have told already
        rivals = () if best.turned_alike else tuple(alike)
    return Found(best.kept, tuple(_remarks(best, at)), rivals)


def closest(kind: Kind, lights: Facts, among: Iterable[Kept]) -> Fit | None:
    """The master of this kind that differs least; None where there is none at all."""
    return _nearest([held_against(kept, lights) for kept in among if kept.kind is kind])


def _nearest(fits: Sequence[Fit]) -> Fit | None:
    return min(fits, key=lambda fit: (fit.distance, fit.kept.files), default=None)


def _order(fit: Fit, lights: Facts, at: datetime | None) -> tuple[float | str, ...]:
    """Best first: what is checked, then for flats the night, for darks the temperature and the age."""
    kept = fit.kept
    age = abs(kept.age_days(at) or 0.0) if at is not None else 0.0
    if kept.kind is Kind.FLAT:
        return (
            len(fit.unchecked),
            _nights_apart(kept, at),
            not fit.turned_alike,
            age,
            -kept.frames,
            not kept.finished,
            kept.files[0],
        )
    apart = 0.0
    if kept.celsius is not None and lights.sensor_celsius is not None:
        apart = abs(kept.celsius - lights.sensor_celsius)
    return (
        len(fit.unchecked),
        round(2 * apart),
        min(_nights_apart(kept, at), 1),
        age // _DARK_DAYS,
        -kept.frames,
        not kept.finished,
        age,
        kept.files[0],
    )


def _nights_apart(kept: Kept, at: datetime | None) -> int:
    if kept.date is None or at is None:
        return _FAR_NIGHTS
    return abs((night_date(kept.date) - night_date(at)).days)


def _remarks(fit: Fit, at: datetime | None) -> list[str]:
    kept, remarks = fit.kept, []
    if fit.unchecked:
        fields = " and ".join(fit.unchecked)
        remarks.append(
            f"{kept.name} was chosen with its {fields} unchecked: it, or the lights, do not note {fields}."
        )
    nights = _nights_apart(kept, at)
    if kept.kind is Kind.FLAT and nights:
        age = kept.age_days(at)
        when = "of unknown date" if age is None else f"{days(abs(age))} {'older' if age > 0 else 'younger'}"
        remarks.append(
            f"{kept.name} is a flat of another night, {when} than these lights: dust may have moved. "
            "Flats of their own night are better."
        )
    return remarks


def days(age: float) -> str:
    """An age in words: `1 day`, `12 days`."""
    return "1 day" if round(age) == 1 else f"{age:.0f} days"


def _uncooled(fits: Sequence[Fit], lights: Facts) -> Found | None:
    """Between two darks that differ in nothing but temperature, or the nearest; None for a cooled camera."""
    here = lights.sensor_celsius
    if here is None or lights.setpoint_celsius is not None:
        return None
    near = [f.kept for f in fits if [d.field for d in f.differences] == ["temperature"]]
    apart = {kept.files: (kept.celsius or 0.0) - here for kept in near}
    near = [kept for kept in near if abs(apart[kept.files]) <= _MOST_APART]
    colder = max(
        (k for k in near if apart[k.files] < 0), key=lambda k: (apart[k.files], k.files), default=None
    )
    warmer = min(
        (k for k in near if apart[k.files] > 0), key=lambda k: (apart[k.files], k.files), default=None
    )
    if colder is not None and warmer is not None:
        share = -apart[colder.files] / (apart[warmer.files] - apart[colder.files])
        told = (
            f"No dark was taken within {SAME_CELSIUS:g} °C of the lights' {here:.1f} °C: it is interpolated "
            f"per pixel between {colder.name} ({colder.celsius:.1f} °C) and {warmer.name} "
            f"({warmer.celsius:.1f} °C)."
        )
        return Found(colder, (told,), other=warmer, share=share)
    only = colder or warmer
    if only is None or abs(apart[only.files]) > NEARLY * SAME_CELSIUS:
        return None
    told = (
        f"{only.name} was taken at {only.celsius:.1f} °C, the lights at {here:.1f} °C, outside the range of "
        "your darks: warm pixels may remain. Take darks on the other side of it."
    )
    return Found(only, (told,))


def missing_in_words(kind: Kind, lights: Facts, nearest: Fit | None) -> str:
    """Why no master fits, which comes closest, and what to shoot."""
    wanted = described(kind, lights)
    if nearest is None:
        said = f"No {NAMES[kind]} is at hand for {wanted}."
    else:
        differing = nearest.differences
        # of another camera nothing else matters
        other = [difference for difference in differing if difference.field == "camera"]
        words = "; ".join(difference.words for difference in other or differing)
        said = f"No {NAMES[kind]} at hand fits {wanted}: the closest, {nearest.kept.name}, has {words}."
    return f"{said} Shoot {series(kind, lights)}: `{command(kind, lights)}`, then `starwell library add` it."


def described(kind: Kind, lights: Facts) -> str:
    """The lights by what this kind of master has to share with them."""
    shot = lights.exposure
    dark = kind in (Kind.DARK, Kind.DARK_FLAT)
    height, width = lights.size
    parts = [
        f"{shot.seconds:g} s" if dark and shot.seconds is not None else "",
        f"gain {shot.gain:g}" if kind is not Kind.FLAT and shot.gain is not None else "",
        f"offset {shot.offset:g}" if kind is not Kind.FLAT and shot.offset is not None else "",
        f"{lights.sensor_celsius:.1f} °C" if dark and lights.sensor_celsius is not None else "",
        f"filter {shot.filter}" if kind is Kind.FLAT and shot.filter else "",
        f"bin {shot.bin}" if shot.bin > 1 else "",
        f"{width}×{height} px" if width else "",
        (lights.camera or "").strip(),
    ]
    return ", ".join(part for part in parts if part)


def series(kind: Kind, lights: Facts, frames: int = DARK_FRAMES) -> str:
    """The frames that would make the missing master, in words."""
    shot, celsius = lights.exposure, _celsius(lights)
    words = f"{frames} {NAMES[kind]}{'es' if kind is Kind.BIAS else 's'}"
    if kind in (Kind.DARK, Kind.DARK_FLAT) and shot.seconds is not None:
        words += f" of {shot.seconds:g} s"
    settings = [
        f"gain {shot.gain:g}" if shot.gain is not None else "",
        f"offset {shot.offset:g}" if shot.offset is not None else "",
        f"{celsius:g} °C" if kind is not Kind.FLAT and celsius is not None else "",
    ]
    told = ", ".join(part for part in settings if part)
    through = f" through {shot.filter}" if kind is Kind.FLAT and shot.filter else ""
    return f"{words}{through}{f' at {told}' if told else ''}"


def command(kind: Kind, lights: Facts, frames: int = DARK_FRAMES) -> str:
    """The `starwell run` that shoots them."""
    shot = lights.exposure
    dark = kind in (Kind.DARK, Kind.DARK_FLAT)
    words = ["starwell run --kind", {Kind.DARK_FLAT: "dark-flat"}.get(kind, kind.value.lower())]
    words += ["--exposure", f"{shot.seconds:g}"] if dark and shot.seconds is not None else []
    words += ["--gain", f"{shot.gain:g}"] if shot.gain is not None else []
    words += ["--offset", f"{shot.offset:g}"] if shot.offset is not None else []
    words += ["--bin", str(shot.bin)] if shot.bin > 1 else []
    # an uncooled sensor has the temperature it has
    if dark and lights.setpoint_celsius is not None:
        words += ["--temperature", f"{lights.setpoint_celsius:g}"]
    words += ["--filter", shot.filter] if kind is Kind.FLAT and shot.filter else []
    return " ".join([*words, "--frames", str(frames)])


def _celsius(lights: Facts) -> float | None:
    if lights.setpoint_celsius is not None:
        return lights.setpoint_celsius
    return None if lights.sensor_celsius is None else round(lights.sensor_celsius, 1)
