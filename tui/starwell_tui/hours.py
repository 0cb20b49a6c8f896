"""When the subs were taken that a screen hears of late: from the night's journal, beside it on the disk."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from starwell.kinds import Kind


class _Line(msgspec.Struct):
    type: str = ""
    at: str = ""
    number: int = 0
    kind: str = ""


_DECODER = msgspec.json.Decoder(_Line)


def taken(folder: str) -> dict[int, datetime]:
    """The local time at which each light was safe, by its number; empty without a journal."""
    hours: dict[int, datetime] = {}
    try:
        lines = (Path(folder) / "journal.jsonl").read_bytes().splitlines()
    except OSError:
        return hours
    for line in lines:
        # A line that is being written is none yet.
        with suppress(msgspec.DecodeError, ValueError):
            told = _DECODER.decode(line)
            if told.type == "FrameSaved" and told.kind == Kind.LIGHT:
                hours[told.number] = datetime.fromisoformat(told.at).astimezone()
    return hours
