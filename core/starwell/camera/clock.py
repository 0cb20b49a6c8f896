"""Simulated time, as fast as is asked for."""

from __future__ import annotations

import threading
import time

from starwell.camera.protocol import Progress
from starwell.errors import Aborted

TICK_S = 0.02
"""Nobody waits longer than this for an answer to cancel; real seconds."""


class Clock:
    """Simulated seconds since it was made, `speed` of them to each real one."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed
        self._start = time.monotonic()

    def now(self) -> float:
        """Simulated seconds so far."""
        return (time.monotonic() - self._start) * self.speed

    def spend(self, seconds: float, cancel: threading.Event, progress: Progress | None = None) -> None:
        """Let simulated seconds pass; Aborted on cancel."""
        start = self.now()
        while (so_far := self.now() - start) < seconds:
            if progress is not None:
                progress(so_far)
            if cancel.wait(min((seconds - so_far) / self.speed, TICK_S)):
                break
        if cancel.is_set():
            raise Aborted("The exposure was aborted.")
