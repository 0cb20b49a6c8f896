"""The masters of the library, as `starwell library list --json` tells them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from starwell_tui.jobs import asked


class Entry(msgspec.Struct, frozen=True):
    """One master."""

    kind: str
    file: str
    camera: str | None = None
    gain: float | None = None
    offset: float | None = None
    seconds: float | None = None
    celsius: float | None = None
    bin: int = 1
    filter: str | None = None
    frames: int | None = None
    date: str | None = None
    age_days: float | None = None

    def cells(self, *, wide: bool) -> str:
        """One line of the list."""

        def number(value: float | None, unit: str) -> str:
            return "" if value is None else f"{value:.0f}{unit}"

        seconds = "" if self.seconds is None else f"{self.seconds:g} s"
        gain = "" if self.gain is None else f"{self.gain:g}"
        shown = (
            f" {self.kind:<10}{seconds:>8}{gain:>6}{number(self.celsius, '°'):>6}{self.bin:>4}  "
            f"{self.filter or '':<6}{self.frames or '?':>7}{number(self.age_days, ' d'):>7}"
            f"  {self.camera or ''}"
        )
        return f"{shown}  {Path(self.file).name}" if wide else shown


HEAD = f" {'kind':<10}{'exposed':>8}{'gain':>6}{'temp':>6}{'bin':>4}  {'filter':<6}{'frames':>7}{'age':>7}"


async def listed() -> tuple[list[Entry] | None, str]:
    """All of them, or None and why they cannot be listed."""
    code, out, err = await asked(["library", "list", "--json"])
    if code:
        return None, err
    try:
        return msgspec.json.decode(out, type=list[Entry]), ""
    except msgspec.DecodeError as error:
        return None, f"The library's list cannot be read: {error}"


def newest(entries: Iterable[Entry], kind: str, *, gain: float | None, seconds: float | None) -> Entry | None:
    """The youngest of a kind, of this gain and exposure where they are said."""
    fitting = [
        entry
        for entry in entries
        if entry.kind == kind and gain in (None, entry.gain) and seconds in (None, entry.seconds)
    ]
    return min(fitting, key=lambda entry: entry.age_days or 0.0, default=None)
