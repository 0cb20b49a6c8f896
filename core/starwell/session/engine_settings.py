"""`starwell set NAME VALUE`: which settings there are, and whether a value can be one."""

from __future__ import annotations

import difflib

from starwell.camera.protocol import Camera, Control
from starwell.errors import PlanError

_ALIASES = {
    "seconds": "exposure",
    "temperature": Control.TARGET_CELSIUS.value,
    "celsius": Control.TARGET_CELSIUS.value,
}
_WORDS = {"on": 1.0, "true": 1.0, "off": 0.0, "false": 0.0}
_LONGEST_S = 7200.0


def checked_setting(camera: Camera, name: str, value: float | str) -> tuple[str, float, str]:
    """The setting's own name, its value as a number, and the unit; PlanError where there is none such."""
    spelt = name.lower().replace("-", "_")
    known = _ALIASES.get(spelt, spelt)
    controls = camera.controls()
    names = [*controls, "exposure"] if controls else []
    if known not in names:
        near = difflib.get_close_matches(spelt, [*names, *_ALIASES], 1)
        told = f"did you mean {near[0]}?" if near else f"there are {', '.join(names) or 'none'}."
        raise PlanError(f"{camera.facts.name} has no setting '{name}': {told}")
    number = _number(name, value)
    if known == "exposure":
        low, high, unit = 0.0, _LONGEST_S, " s"
    else:
        limits = controls[Control(known)]
        low, high, unit = limits.low, limits.high, _unit(limits.unit)
        if not limits.writable:
            raise PlanError(f"{name} can be read, but not set.")
    if not low <= number <= high:
        raise PlanError(f"{name} {number:g} is out of range: {low:g} to {high:g}{unit} can be set.")
    return known, number, unit


def _unit(unit: str) -> str:
    """After a number; a unit that is one itself, as 0.1 dB, is left out."""
    return f" {unit}" if unit and not unit[0].isdigit() else ""


def _number(name: str, value: float | str) -> float:
    if isinstance(value, str):
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        raise PlanError(f"{name} wants a number, on or off, not '{value}'.")
    return float(value)
