"""What a first run asks for, as a configuration: checked, then written whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from starwell import config
from starwell_tui.plan_text import number, said
from starwell_tui.toml_text import toml_text

LIMITS = {"focal_mm": (1.0, 1e5), "latitude": (-90.0, 90.0), "longitude": (-180.0, 180.0)}
"""Of what may be left out."""
LITTLE_BYTES = 5e9


def text_of(typed: Mapping[str, str]) -> str:
    """config.toml; what was left out is not in it."""
    return toml_text(
        {
            "data": said(typed, "data"),
            "rig": {
                "camera": said(typed, "camera"),
                "telescope": said(typed, "telescope"),
                "focal_mm": number(typed, "focal_mm"),
            },
            "site": {"latitude": number(typed, "latitude"), "longitude": number(typed, "longitude")},
            "screen": {"colour": said(typed, "colour"), "preview": said(typed, "preview")},
        }
    )


def wrong_in(typed: Mapping[str, str]) -> dict[str, str]:
    """What cannot be kept, by field."""
    wrong = {}
    for name, (low, high) in LIMITS.items():
        value = number(typed, name)
        if value is not None and (isinstance(value, str) or not low <= value <= high):
            wrong[name] = f"expected {low:g} to {high:g}"
    if (typed.get("latitude", "") == "") != (typed.get("longitude", "") == ""):
        wrong["longitude" if typed.get("latitude") else "latitude"] = "expected both or none"
    data = Path(typed.get("data", "")).expanduser()
    if not data.is_absolute():
        wrong["data"] = "expected a folder from / or ~"
    elif room(data) is None:
        wrong["data"] = "cannot be looked at"
    return wrong


def room(folder: Path) -> int | None:
    """Free bytes where this folder is, or would be; None where that cannot be said."""
    there = folder.expanduser()
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None


def write(typed: Mapping[str, str]) -> Path:
    """Keep it; StorageError where that fails, and nothing is left half."""
    file = config.home().config / "config.toml"
    config.write_whole(file, text_of(typed).encode())
    return file
