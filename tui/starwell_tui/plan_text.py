"""Plans as the screens write them: what was typed becomes TOML, and a mistake finds its field again.

What is no number is handed on as it was typed: the parser of plans says what it expected there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starwell_tui.toml_text import toml_text

Typed = Mapping[str, str]
"""Text by field, as in a form; empty is not said."""

ON = "on"
MASTERS = ("dark", "flat", "bias", "dark_flat", "low_light")
AFTER = {"after_flats": "flats", "after_darks": "darks"}
_FIELDS = {
    "exposure": "exposure",
    "gain": "gain",
    "offset": "offset",
    "bin": "bin",
    "celsius": "celsius",
    "count": "frames",
    "series": "frames",
    "ends": "ends",
    "camera": "camera",
    "folder": "folder",
    "name": "target",
    "pattern": "filters",
    "filter": "filters",
    "amount_px": "dither",
    "after": "after_darks",
    **{name: name for name in MASTERS},
}


def sequence(typed: Typed) -> str:
    """The plan of a series of lights."""
    filters = words(typed, "filters")
    count = number(typed, "frames")
    series = [{"filter": name, "count": count} for name in filters] or [{"count": count}]
    dither = number(typed, "dither")
    plan = {
        "camera": said(typed, "camera"),
        "folder": said(typed, "folder"),
        "ends": words(typed, "ends") or None,
        "after": [word for field, word in AFTER.items() if typed.get(field) == ON] or None,
        **_readout(typed),
        "cooling": _cooling(typed),
        "dither": None if dither in (None, "off") else {"amount_px": dither},
        "masters": masters(typed),
        "target": [
            {
                "name": said(typed, "target"),
                "pattern": filters if typed.get("turns") == ON and len(filters) > 1 else None,
                "series": series,
            }
        ],
    }
    return toml_text(plan)


def calibration(kind: str, typed: Typed, filters: Mapping[str, Any] | None = None) -> str:
    """The plan of a series of darks, flats, dark flats or biases, into the night of the lights.

    filters: those of flats, or the exposure of each of their dark flats; none: one series. A flat without
    an exposure is exposed for `level` of full scale.
    """
    count = number(typed, "frames")
    each = [
        {"kind": kind, "filter": name or None, "count": count, "exposure": seconds}
        for name, seconds in (filters or {"": None}).items()
    ]
    plan = {
        "camera": said(typed, "camera"),
        "folder": said(typed, "folder"),
        **_readout(typed),
        "cooling": _cooling(typed),
        "masters": masters(typed),
        "series": each,
    }
    if kind == "flat" and said(typed, "exposure") is None and number(typed, "level") is not None:
        plan["flats"] = _limits(typed)
    return toml_text(plan)


def field_of(key: str) -> str:
    """The field of a form that a plan's key, such as target[1].series[2].count, comes from; or none."""
    for part in reversed(re.sub(r"\[\d+\]", "", key).split(".")):
        if part in _FIELDS:
            return _FIELDS[part]
    return ""


def said(typed: Typed, field: str) -> str | None:
    """A text that was typed."""
    return typed.get(field, "").strip() or None


def number(typed: Typed, field: str) -> int | float | str | None:
    """A number that was typed, or what was typed instead of one."""
    text = said(typed, field)
    if text is None:
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(value) if value.is_integer() else value if value - value == 0 else text


def words(typed: Typed, field: str) -> list[str]:
    """The words of a list that was typed with commas or blanks."""
    return [word for word in re.split(r"[,\s]+", typed.get(field, "")) if word]


def absolute(path: str) -> str:
    """A path from where the screen was started; the engine is somewhere else."""
    return path if path == "auto" else str(Path(path).expanduser().absolute())


def masters(typed: Typed) -> dict[str, str | float]:
    """The masters that were named; a bias may be a level."""
    named = {name: number(typed, name) for name in MASTERS}
    return {
        name: absolute(what) if isinstance(what, str) else what
        for name, what in named.items()
        if what is not None and what != "none"
    }


def _readout(typed: Typed) -> dict[str, Any]:
    return {"settings": {name: number(typed, name) for name in ("exposure", "gain", "offset", "bin")}}


def _cooling(typed: Typed) -> dict[str, Any] | None:
    celsius = number(typed, "celsius")
    return None if celsius in (None, "off") else {"celsius": celsius, "warm_up": typed.get("warm_up") == ON}


def _limits(typed: Typed) -> dict[str, Any]:
    level = number(typed, "level")
    return {"level": level / 100 if isinstance(level, int | float) else level}
