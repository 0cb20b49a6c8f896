"""`starwell sensor` without its words: sets of frames on disk into an analysis of their sensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np

from starwell.calibration.matching import same_exposure
from starwell.calibration.typed import typed_otherwise
from starwell.errors import MasterMismatch, PlanError, StorageError
from starwell.files.frames import gather, open_facts, open_frame
from starwell.files.levels import levels, with_levels
from starwell.frame import Bayer, Facts, Float64, Kind, Pixels, Planes, Roi
from starwell.sensor.photon_transfer import Analysis, Sets, analyse
from starwell.sensor.photon_transfer_levels import dark_level, light_level

MOST_FRAMES = 64
"""Frames read of one set."""
MOST_PX = 1024
"""Side of the window that is looked at, in the middle of the sensor, unless another is asked for."""

_SPREAD_CELSIUS = 2.0
_SAMPLE = 24
_SMALLEST_PX = 64


@dataclass(frozen=True, slots=True)
class Analysed:
    """An analysis, the facts all frames share, and what was looked at."""

    analysis: Analysis
    facts: Facts
    roi: Roi
    biases: int
    flats: tuple[tuple[float | None, int], ...]
    darks: tuple[tuple[float | None, int], ...]
    filter: str | None


@dataclass(frozen=True, slots=True)
class _Set:
    kind: Kind
    found: dict[Path, Facts]

    @property
    def seconds(self) -> float | None:
        """The exposure its frames share; None where it differs or is unknown."""
        every = [facts.exposure.seconds for facts in self.found.values()]
        known = [seconds for seconds in every if seconds is not None]
        if len(known) < len(every) or not all(same_exposure(known[0], other) for other in known):
            return None
        return fmean(known)


def analyse_files(
    bias: Sequence[Path],
    flats: Sequence[Sequence[Path]],
    darks: Sequence[Sequence[Path]] = (),
    *,
    roi: Roi | None = None,
    any_type: bool = False,
) -> Analysed:
    """Read every set (paths of frames or folders) and analyse.

    roi: the window to look at, in px of the files. Raises
    MasterMismatch for frames of different cameras or settings, PlanError for what is no raw sensor frame,
    StorageError for what cannot be read.
    """
    warnings: list[str] = []
    sets = [_opened(Kind.BIAS, bias, warnings, any_type=any_type)] if bias else []
    sets += [_opened(Kind.FLAT, paths, warnings, any_type=any_type) for paths in flats]
    sets += [_opened(Kind.DARK, paths, warnings, any_type=any_type) for paths in darks]
    facts = _common(sets, warnings)
    window = _window(roi, facts)
    seen = _levels(sets, _Reading(facts, window), facts.adu_shift)
    analysis = analyse(seen)
    return Analysed(
        replace(analysis, warnings=(*warnings, *analysis.warnings)),
        facts,
        window,
        seen.bias.frames if seen.bias else 0,
        tuple((level.seconds, level.frames) for level in seen.flats),
        tuple((level.seconds, level.frames) for level in seen.darks),
        _filter([one for one in sets if one.kind is Kind.FLAT]),
    )


class _Reading:
    """Hands out the windows of frames in native ADU."""

    def __init__(self, facts: Facts, window: Roi) -> None:
        self._facts, self._window = facts, window
        shape = (window.height, window.width)
        bayer = facts.bayer.shifted(window.x, window.y) if facts.bayer else None
        self.planes = Planes.of(replace(facts, shape=shape, bayer=bayer))
        self.rail_adu = facts.saturation_adu / (1 << facts.adu_shift)

    def frames(self, one: _Set) -> Iterator[Pixels]:
        """The windows of a set's frames, un-shifted."""
        x, y, width, height = self._window
        for path in list(one.found)[:MOST_FRAMES]:
            part = open_frame(path).pixels[y : y + height, x : x + width]
            shift = self._facts.adu_shift
            yield part >> shift if part.dtype.kind in "iu" else part / (1 << shift)


def _levels(sets: list[_Set], reading: _Reading, adu_shift: int) -> Sets:
    """What the frames of every set tell together; the bias, where there is one, comes first."""
    seen = Sets(None, [], [], reading.rail_adu, adu_shift)
    for one in sets:
        frames, planes, rail = reading.frames(one), reading.planes, reading.rail_adu
        match one.kind:
            case Kind.BIAS:
                bias = dark_level(frames, planes, seconds=one.seconds, rail_adu=rail)
                seen = replace(seen, bias=bias)
            case Kind.FLAT:
                pedestal: Float64 | None = None if seen.bias is None else seen.bias.mean_adu
                seen.flats.append(
                    light_level(frames, planes, seconds=one.seconds, rail_adu=rail, pedestal_adu=pedestal)
                )
            case _:
                seen.darks.append(dark_level(frames, planes, seconds=one.seconds, rail_adu=rail))
    return seen


def _opened(kind: Kind, paths: Sequence[Path], warnings: list[str], *, any_type: bool) -> _Set:
    found: dict[Path, Facts] = {}
    for path in gather(paths):
        try:
            found[path] = open_facts(path)
        except StorageError as error:
            warnings.append(f"Left out: {error}")
    if not found:
        raise StorageError(f"None of the {kind.value.lower()} frames can be read. {' '.join(warnings)}")
    faults, remarks = typed_otherwise(kind, found, any_type=any_type)
    if faults:
        raise MasterMismatch(f"These frames cannot be analysed: {'; '.join(faults)}.")
    warnings += remarks
    one = _Set(kind, found)
    seconds = [facts.exposure.seconds or 0.0 for facts in found.values()]
    if kind is not Kind.BIAS and one.seconds is None and max(seconds) > 0:
        fix = "each exposure is a set of its own: give it its own --dark."
        if kind is Kind.DARK:
            raise MasterMismatch(f"Darks of {min(seconds):g} to {max(seconds):g} s in one set; {fix}")
        warnings.append(
            f"Flats of {min(seconds):g} to {max(seconds):g} s make one light level: linearity leaves it out."
        )
    return one


_FIELDS: dict[str, Callable[[Facts], object]] = {
    "size": lambda f: f.shape,
    "camera": lambda f: f.camera and f.camera.strip(),
    "gain": lambda f: f.exposure.gain,
    "offset": lambda f: f.exposure.offset,
    "binning": lambda f: f.exposure.bin,
    "Bayer pattern": lambda f: f.bayer,
}


def _common(sets: list[_Set], warnings: list[str]) -> Facts:
    """The facts of all frames, with the levels of all sets; refuses what differs."""
    if not any(one.kind is Kind.FLAT for one in sets) and not any(one.kind is Kind.BIAS for one in sets):
        raise PlanError("There is nothing to analyse: give --bias and at least one --flat.")
    every = {path: facts for one in sets for path, facts in one.found.items()}
    for word, value in _FIELDS.items():
        different: dict[object, Path] = {}
        for path, facts in every.items():
            if value(facts) is not None:
                different.setdefault(value(facts), path)
        if len(different) > 1:
            parts = ", ".join(f"{_said(kind)} ({path.name})" for kind, path in different.items())
            raise MasterMismatch(
                f"The sets differ in {word}: {parts}. An analysis is of one camera at one setting: run one "
                "for each."
            )
    first = next(iter(every.values()))
    if len(first.shape) != 2:
        raise PlanError("These files hold three colour planes, interpolated already: give raw sensor frames.")
    celsius = [facts.sensor_celsius for facts in every.values() if facts.sensor_celsius is not None]
    if celsius and max(celsius) - min(celsius) > _SPREAD_CELSIUS:
        warnings.append(f"The frames' temperatures run from {min(celsius):.1f} to {max(celsius):.1f} °C.")
    sample = [path for one in sets for path in list(one.found)[: max(1, _SAMPLE // len(sets))]]
    found = levels(open_frame(path).pixels for path in sample)
    return replace(with_levels(first, found), sensor_celsius=fmean(celsius) if celsius else None)


def _filter(flats: list[_Set]) -> str | None:
    """The filter all flats were shot through."""
    used = {facts.exposure.filter for one in flats for facts in one.found.values()}
    return used.pop() if len(used) == 1 else None


def _window(asked: Roi | None, facts: Facts) -> Roi:
    """The window asked for, else the middle of the sensor; from even pixels on, for the colours."""
    height, width = facts.size
    if asked is None:
        w, h = min(width, MOST_PX), min(height, MOST_PX)
        asked = Roi((width - w) // 4 * 2, (height - h) // 4 * 2, w, h)
    x, y = asked.x // 2 * 2, asked.y // 2 * 2
    inside = min(x, y) >= 0 and x + asked.width <= width and y + asked.height <= height
    if not inside or min(asked.width, asked.height) < _SMALLEST_PX:
        raise PlanError(
            f"The window {asked.width}×{asked.height} at ({asked.x}, {asked.y}) is no part of "
            f"{width}×{height} px of at least {_SMALLEST_PX}×{_SMALLEST_PX}."
        )
    return Roi(x, y, asked.width // 2 * 2, asked.height // 2 * 2)


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return "×".join(str(n) for n in reversed(value))
    return (
        f"{value:g}" if isinstance(value, float) else value.value if isinstance(value, Bayer) else str(value)
    )


def as_contract(analysis: Analysis) -> dict[str, object]:
    """The figures as `--json` writes them; native ADU, None for what the sets cannot tell."""
    figures: dict[str, object] = {
        "egain_e_per_adu": analysis.egain,
        "read_noise_e": analysis.read_noise_e,
        "full_well_e": analysis.full_well_e,
        "prnu_percent": analysis.prnu_percent,
        "dsnu_e": analysis.dsnu_e,
        "linearity_percent": analysis.linearity_percent,
        "dark_e_per_s": analysis.dark.e_per_s,
        "zero_fraction": analysis.zero_fraction,
        "adu_shift": analysis.adu_shift,
        "warnings": list(analysis.warnings),
    }
    return {key: None if isinstance(v, float) and not np.isfinite(v) else v for key, v in figures.items()}
