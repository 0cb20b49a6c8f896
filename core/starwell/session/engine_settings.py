"""`starwell set NAME VALUE`: which settings there are, and whether a value can be one."""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterator
from dataclasses import dataclass

from starwell.camera.protocol import Camera, Control
from starwell.errors import CameraError, PlanError
from starwell.frame import Exposure
from starwell.session.events import ControlChanged

_ALIASES = {
    "seconds": "exposure",
    "temperature": Control.TARGET_CELSIUS.value,
    "celsius": Control.TARGET_CELSIUS.value,
    "binning": "bin",
    "object": "target",
}
_WORDS = {"on": 1.0, "true": 1.0, "off": 0.0, "false": 0.0}
_LONGEST_S = 7200.0
_MOST_FRAMES = 100_000
_OTHERS = ("exposure", "bin", "filter", "frames", "target")


@dataclass(frozen=True, slots=True)
class Settable:
    """What a setting has to fit.

    filters: of the rig; empty: not known. taken: frames of the series at hand. window: whether the plan
    reads only a part of the sensor.
    """

    camera: Camera
    filters: tuple[str, ...] = ()
    taken: int = 0
    window: bool = False

    def checked(self, name: str, value: float | str) -> tuple[str, float | str, str]:
        """The setting's own name, its value, and the unit; PlanError where there is none such."""
        known = self._known(name)
        if known == "target":
            return known, _text(name, value), ""
        if known == "filter":
            return known, self._filter(_text(name, value)), ""
        number = _number(name, value)
        if known in ("bin", "frames"):
            return known, self._whole(known, number), ""
        low, high, unit = self._limits(known, name)
        if not low <= number <= high:
            raise PlanError(f"{name} {number:g} is out of range: {low:g} to {high:g}{unit} can be set.")
        return known, number, unit

    def _known(self, name: str) -> str:
        spelt = name.lower().replace("-", "_")
        known = _ALIASES.get(spelt, spelt)
        controls = self.camera.controls()
        names = [*controls, *_OTHERS] if controls else []
        if known not in names:
            near = difflib.get_close_matches(spelt, [*names, *_ALIASES], 1)
            told = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}."
            raise PlanError(f"{self.camera.facts.name} has no setting '{name}': {told}")
        return known

    def _limits(self, known: str, name: str) -> tuple[float, float, str]:
        if known == "exposure":
            return 0.0, _LONGEST_S, " s"
        limits = self.camera.controls()[Control(known)]
        if not limits.writable:
            raise PlanError(f"{name} can be read, but not set.")
        return limits.low, limits.high, _unit(limits.unit)

    def _filter(self, wanted: str) -> str:
        if not self.filters or wanted in self.filters:
            return wanted
        alike = [name for name in self.filters if name.lower() == wanted.lower()]
        if alike:
            return alike[0]
        raise PlanError(f"There is no filter {wanted}: the rig has {', '.join(self.filters)}.")

    def _whole(self, known: str, number: float) -> float:
        if known == "bin":
            bins = self.camera.facts.bins
            if number not in bins:
                listed = ", ".join(map(str, bins))
                raise PlanError(f"bin {number:g} is not offered: {self.camera.facts.name} has {listed}.")
            if self.window:
                raise PlanError("The plan reads a window of the sensor: its roi and bin go together there.")
            return number
        least = max(1, self.taken)
        if number != round(number) or not least <= number <= _MOST_FRAMES:
            so_far = f": {self.taken} are taken already" if self.taken else ""
            raise PlanError(
                f"frames {number:g} cannot be{so_far}; a whole number from {least} to {_MOST_FRAMES} can."
            )
        return number


def told(camera: Camera, name: str, value: float) -> ControlChanged:
    """A setting's value with what it may be."""
    if name == "exposure":
        return ControlChanged(name=name, value=value, unit="s", low=0.0, high=_LONGEST_S)
    if name == "bin":
        bins = camera.facts.bins
        return ControlChanged(name=name, value=value, low=min(bins), high=max(bins))
    limits = camera.controls().get(Control(name)) if name in tuple(Control) else None
    if limits is None or not limits.writable:
        return ControlChanged(name=name, value=value, unit=limits.unit if limits else "")
    return ControlChanged(name=name, value=value, unit=limits.unit, low=limits.low, high=limits.high)


def read_back(camera: Camera) -> dict[str, float]:
    """The gain and offset that the camera has now, where it tells."""
    found = {}
    for control in (Control.GAIN, Control.OFFSET):
        if control in camera.controls():
            with contextlib.suppress(CameraError):
                found[control.value] = camera.get(control)
    return found


def all_told(camera: Camera, first: Exposure | None) -> Iterator[ControlChanged]:
    """All that can be set of a camera that was opened; first: what is exposed first."""
    given = {"gain": first.gain, "offset": first.offset} if first else {}
    for control, limits in camera.controls().items():
        value = given.get(control)
        if limits.writable and value is None:
            try:
                value = camera.get(control)
            except CameraError:
                continue  # told as soon as the camera answers again
        if limits.writable and value is not None:
            yield told(camera, control.value, value)
    if camera.controls():
        yield told(camera, "exposure", (first.seconds if first else None) or 0.0)
        yield told(camera, "bin", float(first.bin or 1) if first else 1.0)


def _text(name: str, value: float | str) -> str:
    text = value.strip() if isinstance(value, str) else f"{value:g}"
    if not text:
        raise PlanError(f"{name} wants a name.")
    return text


def _unit(unit: str) -> str:
    """After a number; a unit that is one itself, as 0.1 dB, is left out."""
    return f" {unit}" if unit and not unit[0].isdigit() else ""


def _number(name: str, value: float | str) -> float:
    if isinstance(value, str):
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise PlanError(f"{name} wants a number, on or off, not '{value}'.")
        return number
    return float(value)
