"""Does a master belong to these lights: same sensor window, exposure, gain, offset, temperature, filter?"""

from __future__ import annotations

from starwell.calibration.master import NAMES, Master, Masters
from starwell.errors import MasterMismatch
from starwell.frame import Bayer, Facts, Kind, Roi

WARM_CELSIUS = 2.0
"""A dark this far from the lights' temperature earns a warning."""
REFUSED_CELSIUS = 5.0
"""A dark this far off is refused: dark current doubles every 6 °C."""
EXPOSURE_TOLERANCE = 0.02
"""Relative difference in exposure up to which a dark is the lights' own."""


def check(masters: Masters, lights: Facts, *, scale_dark: bool = False) -> list[str]:
    """Warnings about masters that fit these lights but not quite; MasterMismatch for one that does not."""
    warnings: list[str] = []
    for master in (masters.bias, masters.dark, masters.flat):
        if master is not None and master.constant_adu is None:
            warnings += _alike(master, lights)
    if masters.dark is not None:
        warnings += _exposure(masters.dark, masters.bias, lights, scale_dark)
        warnings += _temperature(masters.dark, lights)
    if masters.flat is not None:
        warnings += _filter(masters.flat, lights)
        if masters.dark is None and masters.bias is None:
            warnings.append(
                "The lights are divided by a flat, but neither dark nor bias takes their offset away first: "
                "the sky will come out curved. Give a dark, or --bias."
            )
    return warnings


def _alike(master: Master, lights: Facts) -> list[str]:
    """What every master with pixels has to share with the lights."""
    window(master, lights)
    warnings = _camera(master, lights)
    if master.kind is not Kind.FLAT:
        warnings += _settings(master, lights)
        if (scale := adu_scale(master, lights)) != 1:
            warnings.append(
                f"{master.name} is scaled by {scale:g}: its frames keep other bits than the lights."
            )
    return warnings


def window(master: Master, lights: Facts) -> tuple[int, int]:
    """Where the lights' pixel (0, 0) lies in the master: x and y; MasterMismatch when it is too small.

    A full-frame master serves lights of a window of the sensor (ROI) when that window is known.
    """
    height, width = lights.size
    mine = master.facts.exposure.roi or Roi(0, 0, master.facts.size[1], master.facts.size[0])
    theirs = lights.exposure.roi
    if master.facts.exposure.bin != lights.exposure.bin:
        raise MasterMismatch(
            f"{master.name} is binned {master.facts.exposure.bin}×, the lights {lights.exposure.bin}×: "
            "they do not belong together."
        )
    if (theirs is None and master.facts.exposure.roi is None) or theirs == master.facts.exposure.roi:
        x, y = 0, 0
    elif theirs is not None:
        x, y = theirs.x - mine.x, theirs.y - mine.y
    elif master.facts.size == lights.size:
        x, y = 0, 0
    else:
        raise _wrong_size(master, lights)
    inside = 0 <= x <= master.facts.size[1] - width and 0 <= y <= master.facts.size[0] - height
    whole = (x, y) != (0, 0) or theirs is not None or master.facts.size == lights.size
    if not inside or not whole or len(master.facts.shape) != len(lights.shape):
        raise _wrong_size(master, lights)
    _colours(master, lights.bayer, x, y)
    return x, y


def adu_scale(master: Master, lights: Facts) -> float:
    """What makes a master's ADU the lights': 16 for native 12-bit values beside left-justified ones.

    Only for masters that note how their frames were justified (ADUSHIFT); a flat has no scale.
    """
    if master.kind is Kind.FLAT or "ADUSHIFT" not in master.keywords:
        return 1.0
    scale = 2.0 ** (lights.adu_shift - master.facts.adu_shift)
    # a light without low bits by chance has the same full scale as its master: nothing to do
    full = lights.saturation_adu / master.facts.saturation_adu
    return scale if 0.5 * scale < full < 2 * scale else 1.0


def _wrong_size(master: Master, lights: Facts) -> MasterMismatch:
    mine, theirs = ("×".join(str(n) for n in (*f.size[::-1], *f.shape[:-2])) for f in (master.facts, lights))
    at = "" if lights.exposure.roi is None else f" at {lights.exposure.roi.x},{lights.exposure.roi.y}"
    return MasterMismatch(
        f"{master.name} is {mine} pixels, the lights are {theirs}{at}: they do not belong together. "
        f"Use a {NAMES[master.kind]} of the lights' size."
    )


def _colours(master: Master, bayer: Bayer | None, x: int, y: int) -> None:
    mine = master.facts.bayer.shifted(x, y) if master.facts.bayer is not None else None
    if mine is not None and bayer is not None and mine is not bayer:
        raise MasterMismatch(
            f"{master.name} starts with {mine.value} where the lights start with {bayer.value}: one of "
            "them is flipped or cut differently. Rebuild the master from frames of the same readout."
        )


def _camera(master: Master, lights: Facts) -> list[str]:
    mine, theirs = master.facts.camera, lights.camera
    if mine and theirs and mine.strip().casefold() != theirs.strip().casefold():
        return [f"{master.name} is from {mine.strip()}, the lights say {theirs.strip()}."]
    return []


def _settings(master: Master, lights: Facts) -> list[str]:
    warnings = []
    for word, mine, theirs in (
        ("gain", master.facts.exposure.gain, lights.exposure.gain),
        ("offset", master.facts.exposure.offset, lights.exposure.offset),
    ):
        if mine is not None and theirs is not None and mine != theirs:
            raise MasterMismatch(
                f"{master.name} was taken at {word} {mine:g}, the lights at {word} {theirs:g}: its level is "
                f"not theirs. Use a {NAMES[master.kind]} at {word} {theirs:g}."
            )
        if (mine is None) != (theirs is None):
            silent = master.name if mine is None else "the lights"
            warnings.append(f"{word.capitalize()} unchecked: {silent} did not note it.")
    return warnings


def _exposure(dark: Master, bias: Master | None, lights: Facts, scale_dark: bool) -> list[str]:
    mine, theirs = dark.facts.exposure.seconds, lights.exposure.seconds
    if mine is None or theirs is None:
        silent = dark.name if mine is None else "the lights"
        return [f"Exposure unchecked: {silent} did not note it."]
    if same_exposure(mine, theirs):
        return []
    if not scale_dark:
        raise MasterMismatch(
            f"{dark.name} is a dark of {mine:g} s, the lights are exposed {theirs:g} s: hot pixels would "
            f"stay or turn black. Use darks of {theirs:g} s, or allow scaling and give a bias."
        )
    if bias is None:
        raise MasterMismatch(
            f"{dark.name} ({mine:g} s) cannot be scaled to {theirs:g} s without a bias: the offset would be "
            "scaled too. Give a bias."
        )
    return [f"The dark of {mine:g} s is scaled to {theirs:g} s."]


def same_exposure(a: float, b: float) -> bool:
    """Whether two exposures in seconds are one, for a dark."""
    return abs(a - b) <= max(EXPOSURE_TOLERANCE * max(a, b), 1e-3)


def _temperature(dark: Master, lights: Facts) -> list[str]:
    mine, theirs = dark.facts.sensor_celsius, lights.sensor_celsius
    if mine is None or theirs is None:
        return []
    apart = abs(mine - theirs)
    if apart > REFUSED_CELSIUS:
        raise MasterMismatch(
            f"{dark.name} was taken at {mine:.1f} °C, the lights at {theirs:.1f} °C: its dark current is "
            f"{2 ** (apart / 6):.1f}× off. Use darks within {WARM_CELSIUS:g} °C."
        )
    if apart > WARM_CELSIUS:
        return [
            f"{dark.name} was taken at {mine:.1f} °C, the lights at {theirs:.1f} °C: hot pixels will remain."
        ]
    return []


def _filter(flat: Master, lights: Facts) -> list[str]:
    mine, theirs = flat.facts.exposure.filter, lights.exposure.filter
    if mine and theirs and mine.strip().casefold() != theirs.strip().casefold():
        raise MasterMismatch(
            f"{flat.name} was taken through filter {mine.strip()}, the lights through {theirs.strip()}: "
            "dust and vignetting differ. Use flats of the same filter."
        )
    return []
