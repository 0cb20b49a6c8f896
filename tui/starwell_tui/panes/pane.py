"""What every pane is: lines of styled text that fit its width, drawn whole."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.strip import Strip
from textual.widget import Widget

from starwell_tui.night import Night
from starwell_tui.theme import FAINT, INK, MUTED, style

Piece = tuple[str, Style]
"""Text and its look; only characters one column wide."""

PLAIN, LABEL, DIM = style(INK), style(MUTED), style(FAINT)


class Pane(Widget):
    """Lines made anew when the night changes or the pane is resized; kept as strips until then.

    The whole widget is refreshed, never parts of rows: Textual sends a row's head again for each part.
    """

    def __init__(self, night: Night, *, id: str, classes: str = "") -> None:  # noqa: A002, Textual's name
        super().__init__(id=id, classes=classes)
        self.night = night
        self._strips: list[Strip] | None = None

    def strips(self, width: int, height: int) -> list[Strip]:
        """The pane's lines, at most `height`, each `width` columns wide."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Something else is shown now."""
        self._strips = None
        self.refresh()

    def told(self) -> None:
        """The night has changed: sent to the terminal only where that can be seen."""
        if self._strips is None or not self.is_mounted:
            return
        width, height = self.content_size
        fresh = self.strips(width, height)
        if fresh != self._strips:
            self._strips = fresh
            self.refresh()

    def on_resize(self, _event: events.Resize) -> None:
        """Another size, other lines."""
        self.redraw()

    def render_line(self, y: int) -> Strip:
        """One line of the pane."""
        width, height = self.content_size
        if self._strips is None:
            self._strips = self.strips(width, height)
        return self._strips[y] if y < len(self._strips) else Strip.blank(width, PLAIN)


class OneLine(Pane):
    """A pane of a single line."""

    def only(self, width: int) -> Strip:
        """The line."""
        raise NotImplementedError

    def strips(self, width: int, height: int) -> list[Strip]:
        """The line alone."""
        return [self.only(width)][:height]


def line(pieces: Sequence[Piece], width: int, ground: Style = PLAIN) -> Strip:
    """The pieces side by side, padded to `width`, or cut with an ellipsis."""
    spare = width - sum(len(text) for text, _ in pieces)
    if spare >= 0:
        return Strip([*(Segment(text, look) for text, look in pieces), Segment(" " * spare, ground)], width)
    segments, room = [], width - 1
    for text, look in pieces:
        segments.append(Segment(text[: max(room, 0)], look))
        room -= len(text)
        if room < 0:
            segments.append(Segment("…"[:width], look))
            break
    return Strip(segments, width)


def wrapped(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` columns."""
    return textwrap.wrap(text, max(width, 1)) or [""]


def roughly(seconds: float) -> str:
    """What is foretold, no finer than it can be: whole minutes from ten on."""
    return duration(seconds) if seconds < 600 else duration(60 * round(seconds / 60)).removesuffix("00s")


def duration(seconds: float | None) -> str:
    """Livetime for people: 40s, 12m30s, 2h05m."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
