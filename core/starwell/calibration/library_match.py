"""How a master at hand differs from what lights need: field by field, in words.

A master somebody names may be off a little, and is warned about (calibration.matching); one that is chosen
without asking has to fit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starwell.calibration.library_kept import Kept, rotation_of, telescope_of
from starwell.calibration.master import Masters
from starwell.calibration.matching import check, window
from starwell.errors import MasterMismatch
from starwell.frame import Facts, Kind, Roi
from starwell.sensor.store import plain_name

SAME_CELSIUS = 1.0
"""A dark within this of the lights' temperature is theirs."""
SAME_EXPOSURE = 0.01
SAME_DEGREES = 1.0
_SAME_FOCAL = 0.03
_DARK_FLAT_CELSIUS = 5.0

_WEIGHTS = {
    "camera": 1000.0,
    "window": 300.0,
    "bin": 300.0,
    "filter": 100.0,
    "gain": 50.0,
    "offset": 40.0,
    "telescope": 30.0,
    "exposure": 20.0,
    "rotation": 10.0,
    "temperature": 5.0,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One field in which a master is not the lights'; by: how far off, where that is a number."""

    field: str
    words: str
    by: float = 0.0

    @property
    def weight(self) -> float:
        """How far it takes a master from the lights."""
        return _WEIGHTS[self.field] + min(abs(self.by), 4.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """A master held against lights: it fits where nothing differs; unchecked: what only one notes.

    turned_alike: both note the rotator's angle, and agree.
    """

    kept: Kept
    differences: tuple[Difference, ...]
    unchecked: tuple[str, ...]
    turned_alike: bool = False

    @property
    def distance(self) -> float:
        """0 for a master that fits."""
        return sum(difference.weight for difference in self.differences)


class _Unnoted(Exception):
    """One of the two does not note this field."""


def held_against(kept: Kept, lights: Facts, *, celsius: float = SAME_CELSIUS) -> Fit:
    """Compare a master with lights; celsius: how far apart the temperatures of darks may be."""
    differences: list[Difference] = []
    unchecked: list[str] = []
    for field, judged in _FIELDS[kept.kind].items():
        try:
            found = judged(kept, lights)
        except _Unnoted:
            unchecked.append(field)
            continue
        if found is not None:
            differences.append(found)
    if kept.kind in (Kind.DARK, Kind.DARK_FLAT):
        allowed = celsius if kept.kind is Kind.DARK else max(celsius, _DARK_FLAT_CELSIUS)
        apart = _celsius_apart(kept, lights)
        if apart is None:
            unchecked.append("temperature")
        elif abs(apart) > allowed:
            words = f"temperature {kept.celsius:.1f} °C, not {lights.sensor_celsius:.1f} °C"
            differences.append(Difference("temperature", words, apart))
    if not differences and (refused := _refused(kept, lights)):
        differences.append(Difference("window", refused))
    turned = kept.rotation is not None and rotation_of(lights) is not None
    return Fit(kept, tuple(differences), tuple(unchecked), turned and not differences)


def _celsius_apart(kept: Kept, lights: Facts) -> float | None:
    if kept.celsius is None or lights.sensor_celsius is None:
        return None
    return kept.celsius - lights.sensor_celsius


def _both(mine: object, theirs: object) -> bool:
    """Whether both note a field; _Unnoted where only one does."""
    if (mine is None) != (theirs is None):
        raise _Unnoted
    return mine is not None


def _camera(kept: Kept, lights: Facts) -> Difference | None:
    mine, theirs = kept.camera, lights.camera
    if not _both(mine, theirs) or plain_name(mine or "") == plain_name(theirs or ""):
        return None
    return Difference("camera", f"camera {mine}, not {(theirs or '').strip()}")


def _binning(kept: Kept, lights: Facts) -> Difference | None:
    if kept.bin == lights.exposure.bin:
        return None
    return Difference("bin", f"bin {kept.bin}×, not {lights.exposure.bin}×")


def _window(kept: Kept, lights: Facts) -> Difference | None:
    if kept.bin != lights.exposure.bin:
        return None  # said already
    if lights.exposure.roi is None and kept.roi is not None and kept.roi[:2] != (0, 0):
        return Difference("window", f"window at {kept.roi.x},{kept.roi.y}, not the whole sensor")
    try:
        window(kept.outline, lights)
    except MasterMismatch as mismatch:
        if kept.shape == lights.shape and kept.roi == lights.exposure.roi:
            return Difference("window", f"window {str(mismatch).rstrip('.')}")
        mine, theirs = _placed(kept.shape, kept.roi), _placed(lights.shape, lights.exposure.roi)
        return Difference("window", f"window {mine}, not {theirs}")
    return None


def _placed(shape: tuple[int, ...], roi: Roi | None) -> str:
    """A window in words: `1304×976 at 8,4`."""
    size = "×".join(str(n) for n in (*shape[-2:][::-1], *shape[:-2]))
    return size if roi is None else f"{size} at {roi.x},{roi.y}"


def _setting(field: str) -> Callable[[Kept, Facts], Difference | None]:
    def judged(kept: Kept, lights: Facts) -> Difference | None:
        mine, theirs = getattr(kept, field), getattr(lights.exposure, field)
        if not _both(mine, theirs) or mine == theirs:
            return None
        return Difference(field, f"{field} {mine:g}, not {theirs:g}", (mine - theirs) / 100)

    return judged


def _exposure(kept: Kept, lights: Facts) -> Difference | None:
    mine, theirs = kept.seconds, lights.exposure.seconds
    if not _both(mine, theirs) or same_seconds(mine or 0.0, theirs or 0.0):
        return None
    return Difference("exposure", f"exposure {mine:g} s, not {theirs:g} s", (mine or 0) / (theirs or 1) - 1)


def same_seconds(a: float, b: float) -> bool:
    """Whether a dark of one exposure may be chosen for the other without asking: within 1 %."""
    return abs(a - b) <= max(SAME_EXPOSURE * max(a, b), 1e-3)


def _filter(kept: Kept, lights: Facts) -> Difference | None:
    mine, theirs = kept.filter, lights.exposure.filter
    if not _both(mine, theirs) or (mine or "").casefold() == (theirs or "").strip().casefold():
        return None
    return Difference("filter", f"filter {mine}, not {(theirs or '').strip()}")


def _train(kept: Kept, lights: Facts) -> Difference | None:
    """Another telescope, or a reducer: only told where both note it."""
    mine, theirs = kept.telescope, telescope_of(lights)
    if mine and theirs and mine.casefold() != theirs.casefold():
        return Difference("telescope", f"telescope {mine}, not {theirs}")
    near, far = kept.focal_mm, lights.focal_mm
    if near and far and abs(near / far - 1) > _SAME_FOCAL:
        return Difference("telescope", f"telescope of {near:g} mm, not {far:g} mm")
    return None


def _rotation(kept: Kept, lights: Facts) -> Difference | None:
    mine, theirs = kept.rotation, rotation_of(lights)
    if mine is None or theirs is None:
        return None
    apart = (mine - theirs + 180) % 360 - 180
    if abs(apart) <= SAME_DEGREES:
        return None
    return Difference("rotation", f"rotation {mine:g}°, not {theirs:g}°", apart / 90)


def _refused(kept: Kept, lights: Facts) -> str | None:
    """What the last word, calibration.matching.check, has against it."""
    outline = kept.outline
    masters = {
        Kind.BIAS: Masters(bias=outline),
        Kind.DARK: Masters(dark=outline),
        Kind.FLAT: Masters(flat=outline),
    }.get(kept.kind, Masters(dark_flat=outline))
    try:
        check(masters, lights)
    except MasterMismatch as mismatch:
        return str(mismatch)
    return None


_ALL = {"camera": _camera, "bin": _binning, "window": _window}
_SETTINGS = {"gain": _setting("gain"), "offset": _setting("offset")}
_FIELDS: dict[Kind, dict[str, Callable[[Kept, Facts], Difference | None]]] = {
    Kind.BIAS: {**_ALL, **_SETTINGS},
    Kind.DARK: {**_ALL, **_SETTINGS, "exposure": _exposure},
    Kind.DARK_FLAT: {**_ALL, **_SETTINGS, "exposure": _exposure},
    Kind.FLAT: {**_ALL, "filter": _filter, "telescope": _train, "rotation": _rotation},
}
