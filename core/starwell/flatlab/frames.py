"""The experiment's sets of frames: opened, and held against each other before their pixels are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from starwell.calibration.matching import same_exposure
from starwell.calibration.stored import is_master
from starwell.calibration.typed import names
from starwell.errors import FileDamaged, MasterMismatch, PlanError, StorageError
from starwell.files.frames import gather, levels_of_set, open_facts, open_frame
from starwell.files.levels import with_levels
from starwell.frame import Facts, Kind, Pixels

FLICKER_S = 0.1
"""Exposures shorter than this show the flicker of dimmed LEDs."""
WARM_CELSIUS = 1.0
"""Sets whose temperatures lie further apart than this earn a warning."""
LEAST_FRAMES = 4
"""Two halves of two frames: fewer show no noise."""

_UNLIT = (Kind.DARK, Kind.BIAS, Kind.DARK_FLAT)


@dataclass(frozen=True, slots=True, eq=False)
class FrameSet:
    """One set, in the order it was shot. name: as its option spells it. frames: reads them, one by one."""

    name: str
    facts: Facts
    count: int
    frames: Callable[[], Iterator[Pixels]]
    warnings: tuple[str, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Exposure of each frame; None where the headers do not say."""
        return self.facts.exposure.seconds


def opened(name: str, paths: Sequence[Path], *, least: int = LEAST_FRAMES) -> FrameSet:
    """The frames below these paths as one set.

    Raises StorageError where there are none, MasterMismatch where they differ in settings, are masters or of
    another kind, PlanError where there are too few of them.
    """
    found: dict[Path, Facts] = {}
    warnings = []
    for path in gather(paths):
        try:
            found[path] = open_facts(path)
        except StorageError as error:
            warnings.append(f"Left out of {name}: {error}")
    if not found:
        raise StorageError(f"None of the frames for --{name} can be read. {' '.join(warnings)}")
    _one_kind(name, found)
    _one_setting(name, found)
    if len(found) < least:
        held = "1 frame" if len(found) == 1 else f"{len(found)} frames"
        raise PlanError(
            f"--{name} holds {held}: at least {least} are needed to tell fixed pattern from noise; "
            "`starwell flatlab plan` says how many it takes to find something."
        )
    files = list(found)
    celsius = [facts.sensor_celsius for facts in found.values() if facts.sensor_celsius is not None]
    facts = with_levels(found[files[0]], levels_of_set(files))
    facts = replace(facts, sensor_celsius=fmean(celsius) if celsius else None)
    return FrameSet(name, facts, len(files), lambda: _read(name, files, facts), tuple(warnings))


def _read(name: str, files: Sequence[Path], facts: Facts) -> Iterator[Pixels]:
    for path in files:
        pixels = open_frame(path).pixels
        if pixels.shape != facts.shape:
            raise FileDamaged(f"{path} is not of the size its header says: take it out of --{name}.")
        if pixels.dtype.kind not in "iu":
            raise MasterMismatch(
                f"{path} (--{name}) holds {pixels.dtype} pixels: it was calibrated or combined. The flat lab "
                "judges what the sensor itself gives: take raw frames."
            )
        yield pixels


def _one_kind(name: str, found: dict[Path, Facts]) -> None:
    combined = [path for path, facts in found.items() if is_master(facts)]
    if combined:
        raise MasterMismatch(
            f"--{name} holds masters or stacks ({names(combined)}): the flat lab needs the single frames, "
            "for it takes its noise from them."
        )
    dark = name.endswith("dark") or name == "panel-off"
    wrong = (Kind.FLAT,) if dark else _UNLIT
    others = [path for path, facts in found.items() if facts.exposure.kind in wrong]
    if others and name != "panel-off":
        said = "flats" if dark else "darks or biases"
        raise MasterMismatch(
            f"--{name} holds frames typed as {said} ({names(others)}): give the folder of the right set, or "
            "mend their IMAGETYP."
        )


_FIELDS: dict[str, Callable[[Facts], object]] = {
    "size": lambda f: "×".join(str(n) for n in reversed(f.shape)),
    "camera": lambda f: f.camera and f.camera.strip(),
    "gain": lambda f: f.exposure.gain,
    "offset": lambda f: f.exposure.offset,
    "exposure": lambda f: None if f.exposure.seconds is None else round(f.exposure.seconds, 3),
    "binning": lambda f: f.exposure.bin,
    "Bayer pattern": lambda f: f.bayer and f.bayer.value,
}
_SENSOR = ("size", "camera", "binning", "Bayer pattern")
_SETTING = ("gain", "offset", "exposure")


def _one_setting(name: str, found: dict[Path, Facts]) -> None:
    first = next(iter(found.values()))
    if len(first.shape) != 2:
        raise PlanError(f"--{name} holds files of three colour planes: give raw frames, not interpolated.")
    for word, value in _FIELDS.items():
        different: dict[object, Path] = {}
        for path, facts in found.items():
            different.setdefault(value(facts), path)
        if len(different) > 1:
            parts = ", ".join(f"{_said(v)} ({path.name})" for v, path in list(different.items())[:3])
            raise MasterMismatch(
                f"The frames of --{name} differ in {word}: {parts}. A set is of one setting: give the frames "
                "of one at a time."
            )


def same_sensor(sets: Sequence[FrameSet]) -> None:
    """MasterMismatch for sets that are not of one sensor read out in one way."""
    first = sets[0]
    for other in sets[1:]:
        for word in _SENSOR:
            mine, theirs = _FIELDS[word](first.facts), _FIELDS[word](other.facts)
            if mine is not None and theirs is not None and mine != theirs:
                raise MasterMismatch(
                    f"--{first.name} and --{other.name} differ in {word}: {_said(mine)} and {_said(theirs)}. "
                    "All sets are shot with one camera, at one binning and window."
                )


def same_setting(dark: FrameSet, lit: FrameSet, *, but: Sequence[str] = ()) -> list[str]:
    """Warnings about two sets that should be shot alike; MasterMismatch where they are not."""
    for word in _SETTING:
        mine, theirs = _FIELDS[word](dark.facts), _FIELDS[word](lit.facts)
        if word in but or mine is None or theirs is None:
            continue
        alike = mine == theirs
        if word == "exposure":
            assert dark.seconds is not None
            assert lit.seconds is not None
            alike = same_exposure(dark.seconds, lit.seconds)
        if not alike:
            raise MasterMismatch(
                f"--{dark.name} and --{lit.name} differ in {word}: {_said(mine)} and {_said(theirs)}. They "
                f"are compared pixel by pixel: shoot --{dark.name} at the {word} of --{lit.name}."
            )
    mine, theirs = dark.facts.sensor_celsius, lit.facts.sensor_celsius
    if mine is not None and theirs is not None and abs(mine - theirs) > WARM_CELSIUS:
        return [
            f"--{dark.name} was shot at {mine:.1f} °C, --{lit.name} at {theirs:.1f} °C: dark current "
            f"{2 ** (abs(mine - theirs) / 6):.2g}× off can look like cold pixels."
        ]
    return []


def flicker(sets: Sequence[FrameSet]) -> list[str]:
    """A warning about lit sets whose exposures are so short that a dimmed lamp flickers in them."""
    short = [one for one in sets if one.seconds is not None and one.seconds < FLICKER_S]
    if not short:
        return []
    said = ", ".join(f"--{one.name} ({one.seconds:g} s)" for one in short)
    return [
        f"Exposures below {FLICKER_S:g} s: {said}. Dimmed LEDs flicker, and a rolling shutter writes that "
        "into rows: dim the panel, or put more film on, and expose longer."
    ]


def _said(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
