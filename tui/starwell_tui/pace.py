"""How often pictures are sent to a terminal: as often as it takes them, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver

LEAST_S = 2.0
SHARE = 4
"""A picture is followed by a pause of so many times what the terminal took for it."""


class Pace:
    """Told when a picture is drawn and how long each writing took; says how long the next one waits."""

    def __init__(self, least_s: float = LEAST_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._least_s = least_s
        self._clock = clock
        self._drawn: float | None = None
        self._slowest_s = 0.0

    def drew(self) -> None:
        """A picture goes out now."""
        self._drawn = self._clock()
        self._slowest_s = 0.0

    def wrote(self, seconds: float) -> None:
        """The terminal took so long for what was written last."""
        self._slowest_s = max(self._slowest_s, seconds)

    @property
    def wait_s(self) -> float:
        """How long the next picture of the same is to wait; 0: it may come."""
        if self._drawn is None:
            return 0.0
        return max(self._drawn + max(self._least_s, SHARE * self._slowest_s) - self._clock(), 0.0)


class Timed:
    """A terminal's file that tells how long it blocks."""

    def __init__(self, file: IO[str], pace: Pace) -> None:
        self._file = file
        self._pace = pace

    def write(self, text: str) -> int:
        """Write and flush, against the clock: a full line makes either wait."""
        begun = time.monotonic()
        written = self._file.write(text)
        self._file.flush()
        self._pace.wrote(time.monotonic() - begun)
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class PacedDriver(LinuxDriver):
    """Textual's driver, its output timed by the app's `pace`."""

    def __init__(self, app: Any, **settings: Any) -> None:
        super().__init__(app, **settings)
        self._file: Any = Timed(self._file, app.pace)
