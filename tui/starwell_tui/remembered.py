"""What the wizards were filled with last, in the state folder, so that tonight begins as the night before."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from starwell import config
from starwell.errors import StarwellError, StorageError
from starwell.remote.messages import Status

SETTINGS = {"exposure": "seconds", "gain": "gain", "offset": "offset", "bin": "bin", "celsius": "celsius"}
"""Fields of a form, and the same in what the engine remembers of cameras and targets."""


def typed(form: str) -> dict[str, str]:
    """What was typed into a form the last time; empty where that is not known."""
    try:
        kept = msgspec.json.decode(_file(form).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
    return kept


def keep(form: str, texts: Mapping[str, str]) -> None:
    """For the next time; a state folder that takes nothing is not worth an error."""
    with suppress(StorageError):
        config.write_whole(_file(form), msgspec.json.encode(dict(texts)))


def of_camera(uid: str, target: str) -> dict[str, str]:
    """What the engine last used this camera with, on this target."""
    try:
        last = config.Remembered(config.home().state).of(uid, target or None)
    except StarwellError:
        return {}
    known = {field: getattr(last, name) for field, name in SETTINGS.items()}
    return {field: f"{value:g}" for field, value in known.items() if value is not None}


def of_lights(status: Status | None) -> dict[str, str]:
    """How tonight's lights are shot, as far as the engine tells."""
    if status is None:
        return {}
    known = {
        "exposure": status.seconds,
        "gain": status.gain,
        "offset": status.offset,
        "bin": status.bin,
        "celsius": status.setpoint_celsius,
    }
    return {name: f"{value:g}" for name, value in known.items() if value is not None}


def _file(form: str) -> Path:
    return config.home().state / f"{form}.json"
