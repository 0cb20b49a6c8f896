"""The lines at the edges: what goes on, the alert, the noise where it has no pane, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.strip import Strip

from starwell_tui.keys import Key, footer
from starwell_tui.night import Night
from starwell_tui.panes.figures import bar
from starwell_tui.panes.pane import PLAIN, OneLine, Pane, Piece, line, wrapped
from starwell_tui.panes.status_parts import (
    ON_PANEL,
    WIDE_COLUMNS,
    Part,
    counter,
    counts,
    livetime,
    of_engine,
    progress,
    state,
    why,
)
from starwell_tui.theme import ACCENT, BAD, BRIGHT, GOOD, GROUND, PANEL, style

BAR_FROM_COLUMNS = 60
NEEDED = "40x10"


class StatusLine(OneLine):
    """State, sub k of n, stacked, rejected, livetime, target, temperature, room, guiding, end, local time."""

    def __init__(self, night: Night, clock: Callable[[], datetime]) -> None:
        super().__init__(night, id="status")
        self._clock = clock

    def on_mount(self) -> None:
        """The clock goes on between events."""
        self.set_interval(10, self.redraw)

    def only(self, width: int) -> Strip:
        """As many parts as fit, the less important ones left out."""
        now = f" {self._clock():%H:%M} "
        parts = self._parts(width, width - len(now))
        pieces = [piece for _, part in parts for piece in part]
        gap = width - sum(len(text) for text, _ in pieces) - len(now)
        return line([*pieces, (" " * max(gap, 0), ON_PANEL), (now, style(BRIGHT, PANEL))], width, ON_PANEL)

    def _parts(self, width: int, room: int) -> list[Part]:
        night = self.night
        wide = width >= WIDE_COLUMNS and night.status is None
        parts = [(0, [state(night)]), (3, why(night)), (0, [(counter(night, wide), ON_PANEL)])]
        parts += [(4, progress(night, 20 if wide else 8))] if width >= BAR_FROM_COLUMNS else []
        parts += [(0, counts(night, width)), (2, livetime(night, wide))]
        if night.status is not None:
            parts += of_engine(night.status, self._clock())
        while sum(len(text) for _, part in parts for text, _ in part) > room:
            last = max(range(len(parts)), key=lambda at: (parts[at][0], at))
            if parts[last][0] == 0:
                break
            del parts[last]
        return parts


class Alert(OneLine):
    """Why there is no engine, else the last alert until it is acknowledged; not there without either."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="alert")

    def only(self, width: int) -> Strip:
        """The line."""
        night = self.night
        alert, more = night.alert, len(night.alerts) - 1
        look = style(GROUND, BAD if night.gone or (alert and alert.serious) else ACCENT)
        text = night.gone or (alert.text if alert else "")
        seen = "  trying again " if night.gone else f"  {f'+{more}  ' if more > 0 else ''}a: seen "
        told = line([(f" ! {text}", look)], width - len(seen), look)
        return Strip.join([told, line([(seen, look)], len(seen))])


class NoiseBar(OneLine):
    """Pane 4 in one line, where there is no room for more."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="noise-bar")

    def only(self, width: int) -> Strip:
        """The line."""
        return line(bar(self.night), width)


class TooSmall(Pane):
    """All there is on a terminal that has no room for the panes."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="too-small")

    def strips(self, width: int, height: int) -> list[Strip]:
        """How large it is, and how large it should be."""
        text = f"The terminal is too small ({width}x{height}): starwell needs {NEEDED}."
        return [line([(part, PLAIN)], width) for part in wrapped(text, width)[:height]]


class Footer(OneLine):
    """As many entries of the key table as fit, help and quit always; for a while what was replied."""

    def __init__(self, night: Night, keys: tuple[Key, ...]) -> None:
        super().__init__(night, id="footer")
        self._keys = keys
        self._pane = ""
        self._notice: Piece | None = None

    def of_pane(self, name: str) -> None:
        """The chosen pane's keys come first."""
        self._pane = name
        self.redraw()

    def say(self, text: str, *, good: bool) -> None:
        """A sentence in place of the keys; an empty one brings them back."""
        self._notice = (f" {text}", style(GROUND, GOOD if good else ACCENT)) if text else None
        self.told()

    def only(self, width: int) -> Strip:
        """The line."""
        if self._notice is not None:
            return line([self._notice], width, self._notice[1])
        pieces: list[Piece] = []
        for key in footer(self._keys, width, self._pane):
            pieces += [(f" {key.shown}", style(ACCENT, PANEL, bold=True)), (f" {key.word} ", ON_PANEL)]
        return line(pieces, width, ON_PANEL)
