"""The lines at the edges: what goes on, the alert, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.strip import Strip

from starwell.session.events import State
from starwell_tui.keys import footer
from starwell_tui.night import Night, Standing
from starwell_tui.panes.pane import PLAIN, OneLine, Pane, Piece, duration, line, wrapped
from starwell_tui.theme import ACCENT, BAD, BRIGHT, GOOD, GROUND, INK, MUTED, PANEL, style

WIDE_COLUMNS, BAR_FROM_COLUMNS = 100, 60
WARNED_AFTER = 3
"""Rejected subs in a row that colour the line."""
NEEDED = "40x10"
EIGHTHS = " ▏▎▍▌▋▊▉"

ON_PANEL, FAINT_ON_PANEL = style(INK, PANEL), style(MUTED, PANEL)


class Status(OneLine):
    """State, sub k of n, stacked, rejected, livetime, local time."""

    def __init__(self, night: Night, clock: Callable[[], datetime]) -> None:
        super().__init__(night, id="status")
        self._clock = clock

    def on_mount(self) -> None:
        """The clock goes on between events."""
        self.set_interval(10, self.redraw)

    def only(self, width: int) -> Strip:
        """The line."""
        night, wide = self.night, width >= WIDE_COLUMNS
        ground = INK if night.rejected_in_a_row < WARNED_AFTER else ACCENT
        word = state_word(night)
        left: list[Piece] = [
            (f" ● {word} ", style(GROUND, ground, bold=True)),
            (counter(night, wide), ON_PANEL),
        ]
        left += progress(night, 20 if wide else 8) if width >= BAR_FROM_COLUMNS else []
        for label, text, look in (
            ("stacked", night.count(Standing.STACKED), GOOD),
            ("rejected" if wide else "rej", night.count(Standing.REJECTED), BAD),
        ):
            left += [
                (f"  {label} ", FAINT_ON_PANEL),
                (str(text), style(look if text else INK, PANEL, bold=True)),
            ]
        left.append(
            (
                f"  livetime {duration(night.livetime_s)}" if wide else f"  {duration(night.livetime_s)}",
                ON_PANEL,
            )
        )
        now = f"{self._clock():%H:%M} "
        gap = width - sum(len(text) for text, _ in left) - len(now)
        return line([*left, (" " * max(gap, 1), ON_PANEL), (now, style(BRIGHT, PANEL))], width, ON_PANEL)


class Alert(OneLine):
    """The last alert in full, there until it is acknowledged; nothing else when there is none."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="alert")

    def only(self, width: int) -> Strip:
        """The line."""
        look = style(GROUND, BAD if self.night.serious else ACCENT)
        seen = "  a: seen "
        told = line([(f" ! {self.night.alert}", look)], width - len(seen), look)
        return Strip.join([told, line([(seen, look)], len(seen))])


class TooSmall(Pane):
    """All there is on a terminal that has no room for the panes."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="too-small")

    def strips(self, width: int, height: int) -> list[Strip]:
        """How large it is, and how large it should be."""
        text = f"The terminal is too small ({width}x{height}): starwell needs {NEEDED}."
        return [line([(part, PLAIN)], width) for part in wrapped(text, width)[:height]]


class Footer(OneLine):
    """As many entries of the key table as fit; help and quit always."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="footer")

    def only(self, width: int) -> Strip:
        """The line."""
        pieces: list[Piece] = []
        for key in footer(width):
            pieces += [(f" {key.shown}", style(ACCENT, PANEL, bold=True)), (f" {key.word} ", ON_PANEL)]
        return line(pieces, width, ON_PANEL)


def state_word(night: Night) -> str:
    """What the engine does, in one word."""
    if night.finished:
        return "FINISHED"
    if night.calibrating and night.state is State.EXPOSING:
        return f"{night.calibrating.kind.value.upper()} {night.calibrating.number}"
    return night.state.value.upper()


def counter(night: Night, wide: bool) -> str:
    """Sub k of n."""
    last = max(night.subs, default=0)
    return f"{' sub' if wide else ''} {last}{f'/{night.planned}' if night.planned else ''} "


def progress(night: Night, columns: int) -> list[Piece]:
    """A bar of the subs that are decided, to the eighth of a column."""
    if not night.planned:
        return []
    decided = night.count(Standing.STACKED) + night.count(Standing.REJECTED)
    eighths = min(round(8 * columns * decided / night.planned), 8 * columns)
    filled = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return [("▕", FAINT_ON_PANEL), (filled.ljust(columns), ON_PANEL), ("▏", FAINT_ON_PANEL)]
