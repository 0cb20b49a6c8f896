"""Does a low-light map belong to these lights? Its deficits hold for one camera at one setting only."""

from __future__ import annotations

import numpy as np

from starwell.calibration.low_light import LowLight
from starwell.calibration.master import Master, Masters
from starwell.calibration.matching import REFUSED_CELSIUS, WARM_CELSIUS, same_exposure, window
from starwell.errors import MasterMismatch, MasterMissing
from starwell.frame import Facts, Kind


def check_low_light(masters: Masters, lights: Facts) -> list[str]:
    """Warnings about a map that fits these lights but not quite; MasterMismatch for one that does not.

    MasterMissing where neither dark nor bias is taken off the lights. Nothing without a map.
    """
    low = masters.low_light
    if low is None:
        return []
    if masters.dark is None and masters.bias is None:
        raise MasterMissing(
            f"{low.name} is added to subs without their offset: give the dark it was made with "
            f"({low.keywords.get('DARKNAME', 'of the same setting')}) as well."
        )
    different, unknown = _differences(low.facts, lights)
    if different:
        raise MasterMismatch(
            f"{low.name} was made at another {' and '.join(different)} than the lights: what pixels lose "
            "there is not what they lose here. Shoot dim flats at the lights' setting."
        )
    place(low, lights)
    warnings = []
    if masters.flat is None:
        warnings.append(
            f"{low.name} belongs to a bright flat ({low.keywords.get('FLATNAME', 'of any level')}); without "
            "one the pixels' sensitivity stays in."
        )
    if unknown:
        warnings.append(
            f"{' and '.join(unknown).capitalize()} unchecked: {low.name} or the lights do not say."
        )
    return warnings + _temperature(low, lights)


def check_together(facts: Facts, others: Facts, dark: Master) -> None:
    """MasterMismatch where dim flats of several levels, or their dark, are of different settings."""
    for name, theirs in (("The levels", others), (f"{dark.name} and the dim flats", dark.facts)):
        different, _ = _differences(facts, theirs)
        if different:
            raise MasterMismatch(
                f"{name} differ in {' and '.join(different)}: a low-light map takes dim flats of the lights' "
                "own setting, and darks of the same; only the panel changes from level to level."
            )
        a, b = facts.sensor_celsius, theirs.sensor_celsius
        if a is not None and b is not None and abs(a - b) > WARM_CELSIUS:
            raise MasterMismatch(
                f"{name} differ in temperature: {a:.1f} and {b:.1f} °C. Cool to the lights' temperature."
            )


def fits_setting(facts: Facts, lights: Facts) -> bool:
    """Whether a map of these facts was made as the lights were taken, as far as both say."""
    a, b = facts.sensor_celsius, lights.sensor_celsius
    apart = 0.0 if a is None or b is None else abs(a - b)
    return not _differences(facts, lights)[0] and apart <= WARM_CELSIUS


def place(low: LowLight, lights: Facts) -> tuple[int, int]:
    """Where the lights' pixel (0, 0) lies in the map; MasterMismatch when it is too small."""
    nothing = np.empty((0, 0), np.float32)
    return window(Master(Kind.FLAT, nothing, low.facts, 0.0, file=low.file), lights)


def electrons_per_adu(low: LowLight, lights: Facts) -> float:
    """e-/ADU of the lights' files: the map's own, on the lights' bits; MasterMismatch where it has none."""
    if low.egain is None:
        raise MasterMismatch(f"{low.name} does not say e-/ADU: it cannot be added to subs in ADU.")
    scale = 2.0 ** (low.facts.adu_shift - lights.adu_shift)
    full = low.facts.saturation_adu / lights.saturation_adu
    return low.egain * (scale if 0.5 * scale < full < 2 * scale else 1.0)


def _differences(mine: Facts, theirs: Facts) -> tuple[list[str], list[str]]:
    """What differs, and what one of them does not note."""
    different, unknown = [], []
    a, b = mine.exposure, theirs.exposure
    pairs: list[tuple[str, float | str | None, float | str | None]] = [
        ("gain", a.gain, b.gain),
        ("offset", a.offset, b.offset),
        ("bin", a.bin, b.bin),
        ("exposure", a.seconds, b.seconds),
        ("camera", _named(mine), _named(theirs)),
    ]
    for word, one, other in pairs:
        if one is None or other is None:
            unknown.append(word)
        elif isinstance(one, float) and isinstance(other, float) and word == "exposure":
            different += [] if same_exposure(one, other) else [word]
        elif one != other:
            different.append(word)
    return different, unknown


def _named(facts: Facts) -> str | None:
    return facts.camera.strip().casefold() if facts.camera else None


def _temperature(low: LowLight, lights: Facts) -> list[str]:
    mine, theirs = low.facts.sensor_celsius, lights.sensor_celsius
    if mine is None or theirs is None:
        return []
    if abs(mine - theirs) > REFUSED_CELSIUS:
        raise MasterMismatch(
            f"{low.name} was made at {mine:.1f} °C, the lights were taken at {theirs:.1f} °C: shoot "
            f"dim flats within {WARM_CELSIUS:g} °C."
        )
    if abs(mine - theirs) > WARM_CELSIUS:
        return [f"{low.name} was made at {mine:.1f} °C, the lights were taken at {theirs:.1f} °C."]
    return []
