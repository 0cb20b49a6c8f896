"""How a run is told: events as JSON on stdout, a progress line and what matters on stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from starwell.session.event_lines import encode
from starwell.session.events import (
    CameraFault,
    ControlChanged,
    Event,
    ExposureStarted,
    FrameTaken,
    QualityAdvice,
    StackMeasured,
    StackSaved,
    StateChanged,
    SubRejected,
    SubStacked,
)
from starwell.session.face import Status


class Narrator:
    """Tells a run. A terminal that is gone is no reason to stop: nothing is told then."""

    def __init__(
        self, *, json: bool, quiet: bool = False, rings: Callable[[Event], bool] | None = None
    ) -> None:
        self._json = json
        self._rings = rings
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = sys.stderr.isatty() and not quiet
        words = TextColumn("{task.description}", markup=False)
        columns = (words, BarColumn(), TextColumn("{task.fields[note]}"))
        # No thread of its own: it would die of a terminal that is gone.
        self._progress = Progress(
            *columns, console=self._console, transient=True, disable=not self._live, auto_refresh=False
        )
        self._task = self._progress.add_task("", total=None, note="")
        self._noise = self._state = ""
        self._frames = ""
        with _whoever_listens(sys.stderr):
            self._progress.start()

    def show(self, now: Status) -> None:
        """Move the bar."""
        if not self._live:
            return
        self._frames = f"/{now.frames}" if now.frames else ""
        if now.exposed_s is not None:
            total = now.seconds or None
            note = f"{now.exposed_s:.0f}/{total:.0f} s" if total else f"waiting {now.exposed_s:.0f} s"
            self._update(total=total, completed=min(now.exposed_s, total or 0), note=note)

    def tell(self, event: Event) -> None:
        """One event, for machines and for people."""
        if self._json:
            with _whoever_listens(sys.stdout):
                sys.stdout.write(encode(event).decode() + "\n")
                sys.stdout.flush()
        if self._live and self._rings is not None and self._rings(event):
            with _whoever_listens(sys.stderr):
                self._console.bell()
        match event:
            case ExposureStarted():
                self._describe(f"{event.kind.value} {event.number}{self._frames}{self._noise}")
            case FrameTaken() if not self._live:
                self.say(f"frame {event.number}{self._frames} {escape(event.file or '')}")
            case SubStacked() if not self._live:
                self.say(f"stacked {event.number}: {event.stacked} subs")
            case StackMeasured(efficiency_percent=percent) if percent is not None:
                self._noise = f"  {event.stacked} stacked, {event.efficiency} efficient"
            case SubRejected():
                why = f"{event.reason}{f' ({event.detail})' if event.detail else ''}"
                self.say(f"[red]kept out[/] {event.number}: {escape(why)}")
            case CameraFault():
                again = "" if not event.recovered else " Going on."
                self.say(f"[red]camera[/] {escape(event.message)}{again}")
            case QualityAdvice():
                self.say(f"[yellow]{escape(event.subject)}:[/] {escape(event.advice)}")
            case ControlChanged(name="sensor_celsius") if self._live:
                self._describe(f"{self._state}, {event.value:.0f} {event.unit}")
            case StackSaved():
                self.say(
                    f"stack {escape(event.file)}: {event.stacked} subs, {event.livetime_s or 0:g} s of light"
                )
            case StateChanged():
                self._state = f"{event.state}: {event.why}"
                self._describe(self._state)
                if not self._live:
                    self.say(escape(self._state))
            case _:
                pass

    def say(self, markup: str) -> None:
        """A line on stderr."""
        with _whoever_listens(sys.stderr):
            self._console.print(markup)

    def close(self) -> None:
        """Take the progress line away."""
        with _whoever_listens(sys.stderr):
            self._progress.stop()

    def end(self, taken: int, folder: Path | None, *, interrupted: bool) -> None:
        """The last line."""
        how = "interrupted: " if interrupted else ""
        frames = "1 frame" if taken == 1 else f"{taken} frames"
        self.say(f"{how}{frames}{f', {escape(str(folder))}' if folder else ''}")

    def _describe(self, text: str) -> None:
        self._update(description=text, note="", total=None)

    def _update(self, **what: Any) -> None:
        if self._live:
            with _whoever_listens(sys.stderr):
                self._progress.update(self._task, refresh=True, **what)


@contextlib.contextmanager
def _whoever_listens(stream: TextIO) -> Iterator[None]:
    """Nobody reads a terminal or a pipe that is gone; what is written there from now on goes nowhere."""
    try:
        yield
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
