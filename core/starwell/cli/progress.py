"""How a run is told: events as JSON on stdout, a progress line and what matters on stderr."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from starwell.session.capture import Series
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
    encode,
)


class Narrator:
    """Tells a run. A terminal that is gone is no reason to stop: nothing is told then."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live = sys.stderr.isatty()
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
        self._progress = Progress(*columns, console=self._console, transient=True, disable=not self._live)
        self._task = self._progress.add_task("", total=None, note="")
        self._seconds = 0.0
        self._frames = ""
        self._noise = ""

    def begin(self, series: Series) -> None:
        """Show the progress line."""
        self._frames = f"/{series.frames}" if series.frames else ""
        with contextlib.suppress(OSError):
            self._progress.start()

    def exposed(self, seconds: float) -> None:
        """Move the bar; called from within an exposure."""
        with contextlib.suppress(OSError):
            total = self._seconds or None
            note = f"{seconds:.0f}/{self._seconds:.0f} s" if total else f"waiting {seconds:.0f} s"
            self._progress.update(self._task, total=total, completed=min(seconds, total or 0), note=note)

    def tell(self, event: Event) -> None:
        """One event, for machines and for people."""
        if self._json:
            sys.stdout.write(encode(event).decode() + "\n")
            sys.stdout.flush()
        match event:
            case ExposureStarted():
                self._seconds = event.seconds
                self._describe(f"{event.kind.value} {event.number}{self._frames}{self._noise}")
            case FrameTaken() if not self._live:
                self.say(f"frame {event.number}{self._frames} {escape(event.file or '')}")
            case SubStacked() if not self._live:
                self.say(f"stacked {event.number}: {event.stacked} subs")
            case StackMeasured(efficiency_percent=percent) if percent is not None:
                self._noise = f"  {event.stacked} stacked, {percent:.0f} % efficient"
            case SubRejected():
                why = f"{event.reason}{f' ({event.detail})' if event.detail else ''}"
                self.say(f"[red]kept out[/] {event.number}: {escape(why)}")
            case CameraFault():
                again = "" if not event.recovered else " Going on."
                self.say(f"[red]camera[/] {escape(event.message)}{again}")
            case QualityAdvice():
                self.say(f"[yellow]{escape(event.subject)}[/] {escape(event.advice)}")
            case ControlChanged():
                self._describe(f"cooling, {event.value:.0f} {event.unit}")
            case StackSaved():
                self.say(
                    f"stack {escape(event.file)}: {event.stacked} subs, {event.livetime_s or 0:g} s of light"
                )
            case StateChanged() if self._live:
                self._describe(f"{event.state} {event.why}")
            case _:
                pass

    def say(self, markup: str) -> None:
        """A line on stderr."""
        with contextlib.suppress(OSError):
            self._console.print(markup)

    def close(self) -> None:
        """Take the progress line away."""
        with contextlib.suppress(OSError):
            self._progress.stop()

    def end(self, taken: int, folder: Path, *, interrupted: bool) -> None:
        """The last line."""
        how = "interrupted: " if interrupted else ""
        frames = "1 frame" if taken == 1 else f"{taken} frames"
        self.say(f"{how}{frames}, {escape(str(folder))}")

    def _describe(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._progress.update(self._task, description=text, note="")
