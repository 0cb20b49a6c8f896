"""What a screen can change of the next sub, and what it reads back: one table."""

from __future__ import annotations

from typing import NamedTuple

from starwell.errors import PlanError
from starwell_tui.night import Night

SWITCH = {"on": 1.0, "off": 0.0}


class Setting(NamedTuple):
    """word: of its key; name: the engine's; field: of Status, where no control reads it back.

    low, high: what is taken where the camera does not say. numeric: else it is a word. switch: on or off.
    consequence: why it is asked for y first; without one it is done at once. always: else only with a camera
    that has such a control.
    """

    word: str
    name: str
    label: str
    unit: str = ""
    field: str = ""
    low: float | None = None
    high: float | None = None
    numeric: bool = True
    switch: bool = False
    consequence: str = ""
    always: bool = True


DARKS = "the darks will not match"
SETTINGS = (
    Setting("target", "target", "Target", field="target", numeric=False, consequence="a new stack begins"),
    Setting("filter", "filter", "Filter", field="filter", numeric=False, consequence="the wheel turns"),
    Setting("exposure", "exposure", "Exposure", "s", "seconds", 0, 7200, consequence=DARKS),
    Setting("gain", "gain", "Gain", field="gain", low=0, consequence=DARKS),
    Setting("offset", "offset", "Offset", field="offset", low=0, consequence=DARKS),
    Setting("bin", "bin", "Bin", field="bin", low=1, high=8, consequence=f"{DARKS} and a new stack begins"),
    Setting("frames", "frames", "Frames", field="frames", low=1, high=100_000),
    Setting(
        "temperature",
        "target_celsius",
        "Set to",
        "°C",
        "setpoint_celsius",
        -60,
        40,
        consequence=DARKS,
        always=False,
    ),
    Setting(
        "cooler",
        "cooler",
        "Cooler",
        field="cooler_on",
        low=0,
        high=1,
        switch=True,
        consequence="the sensor ramps to its set point, or warms up",
        always=False,
    ),
    Setting("dew", "dew_heater", "Dew", low=0, high=100, always=False),
)


def settings_of(night: Night) -> tuple[Setting, ...]:
    """Those that this camera has."""
    return tuple(setting for setting in SETTINGS if setting.always or value(setting, night) is not None)


def value(setting: Setting, night: Night) -> float | str | None:
    """What the camera reads back, else what the engine says; None where neither does."""
    if setting.name in night.controls:
        return night.controls[setting.name].value
    known: float | str | None = getattr(night.status, setting.field, None) if setting.field else None
    return known


def shown(setting: Setting, night: Night) -> str:
    """The value as people read it."""
    now = value(setting, night)
    if now is None:
        return "-"
    if setting.switch:
        return "on" if now else "off"
    if isinstance(now, str):
        return now
    return f"{now:g} {setting.unit}".rstrip()


def limits(setting: Setting, night: Night) -> tuple[float | None, float | None]:
    """From where to where values are taken; None where nobody knows."""
    told = night.controls.get(setting.name)
    low = setting.low if told is None or told.low is None else told.low
    high = setting.high if told is None or told.high is None else told.high
    return low, high


def read(setting: Setting, text: str, night: Night) -> float | str:
    """The value that was typed; PlanError says what is expected."""
    word = text.strip()
    if not setting.numeric and word:
        return _name(setting, word, night)
    if setting.switch and word in SWITCH:
        return SWITCH[word]
    low, high = limits(setting, night)
    try:
        number = float(word.replace(",", "."))
    except ValueError:
        number = float("nan")
    if number != number or (low is not None and number < low) or (high is not None and number > high):
        raise PlanError(f"{setting.label} is {expected(setting, night)}, not '{word}'.")
    return number


def _name(setting: Setting, word: str, night: Night) -> str:
    """The word as the wheel spells it, where it is a filter's."""
    names = night.status.filters if night.status and setting.word == "filter" else ()
    known = next((name for name in names if name.lower() == word.lower()), "")
    if names and not known:
        raise PlanError(f"{setting.label} is {expected(setting, night)}, not '{word}'.")
    return known or word


def expected(setting: Setting, night: Night) -> str:
    """What may be typed, in words."""
    if setting.switch:
        return "on or off"
    if not setting.numeric:
        names = night.status.filters if night.status and setting.word == "filter" else ()
        return f"one of {', '.join(names)}" if names else "a name"
    low, high = limits(setting, night)
    unit = f" {setting.unit}" if setting.unit else ""
    if low is None or high is None:
        return f"a number{'' if low is None else f' from {low:g}'}{unit}"
    return f"{low:g} to {high:g}{unit}"
