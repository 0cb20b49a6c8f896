"""The lines at the edges: what goes on, the alert, the noise where it has no pane, and the keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from rich.style import Style
from textual.strip import Strip

from starwell.remote.messages import Status
from starwell.session.events import State
from starwell_tui.keys import Key, footer
from starwell_tui.night import Night, Standing
from starwell_tui.panes.figures import bar
from starwell_tui.panes.pane import PLAIN, OneLine, Pane, Piece, duration, line, wrapped
from starwell_tui.theme import ACCENT, BAD, BRIGHT, GOOD, GROUND, INK, MUTED, PANEL, style

WIDE_COLUMNS, BAR_FROM_COLUMNS = 100, 60
WARNED_AFTER = 3
"""Rejected subs in a row that colour the line."""
LOW_BYTES = 5e9
"""Room on the disk that is told from everywhere."""
LONGEST_WHY = 40
NEEDED = "40x10"
EIGHTHS = " ▏▎▍▌▋▊▉"

ON_PANEL, FAINT, LOUD = style(INK, PANEL), style(MUTED, PANEL), style(ACCENT, PANEL, bold=True)

Part = tuple[int, list[Piece]]
"""What belongs together, and how readily it is left out; 0 is never."""


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


def state(night: Night) -> Piece:
    """What the engine does, in one word, as loud as it deserves."""
    ground = INK if night.rejected_in_a_row < WARNED_AFTER else ACCENT
    if night.gone:
        return " ● NO ENGINE " if night.status is None else " ● ENGINE GONE ", _plate(BAD)
    if night.state is State.FAULT:
        ground = BAD
    word = night.state.value.upper()
    if night.finished and night.state is State.IDLE:
        word = "FINISHED"
    elif night.calibrating and night.state is State.EXPOSING:
        word = f"{night.calibrating.kind.value.upper()} {night.calibrating.number}"
    return f" ● {word} ", _plate(ground)


def why(night: Night) -> list[Piece]:
    """What a state other than exposing is due to."""
    status = night.status
    known = status is not None and not night.gone and status.state is night.state
    if status is None or not known or not status.why or status.state is State.EXPOSING:
        return []
    return [(f" {shortened(status.why, LONGEST_WHY)} ", LOUD)]


def shortened(text: str, columns: int) -> str:
    """A text whose beginning fits."""
    return text if len(text) <= columns else f"{text[: columns - 1]}…"


def _plate(ground: str) -> Style:
    return style(GROUND, ground, bold=True)


def counter(night: Night, wide: bool) -> str:
    """Filter and exposure where they are known, sub k of n."""
    status = night.status
    last = status.frame if status else max(night.subs, default=0)
    shot = (
        f" {status.filter or ''} {status.seconds:g}s".replace("  ", " ") if status and status.seconds else ""
    )
    of = f"/{night.planned_frames}" if night.planned_frames else ""
    if not (last or of):
        return " "
    return f"{shot}{' sub' if wide else ''} {last}{of} "


def counts(night: Night, width: int) -> list[Piece]:
    """Stacked and rejected, in words where there is room."""
    words = (" stacked ", " rejected ")
    pieces: list[Piece] = []
    for label, count, look in zip(
        words if width >= WIDE_COLUMNS else (" ✓", " ✗"),
        (night.count(Standing.STACKED), night.count(Standing.REJECTED)),
        (GOOD, BAD),
        strict=True,
    ):
        pieces += [(label, FAINT), (str(count), style(look if count else INK, PANEL, bold=True))]
    return pieces


def livetime(night: Night, wide: bool) -> list[Piece]:
    """How much light is in the stack."""
    return [("  livetime " if wide else "  ", FAINT), (duration(night.livetime_s), ON_PANEL)]


def of_engine(status: Status, now: datetime) -> list[Part]:
    """What only an engine knows."""
    parts: list[Part] = [(5, [(f"  {status.target}", ON_PANEL)])] if status.target else []
    if status.sensor_celsius is not None:
        parts.append((3, [(f"  {temperature(status)}", ON_PANEL)]))
    if status.guide_rms_arcsec is not None:
        parts.append((6, [("  guide ", FAINT), (f'{status.guide_rms_arcsec:.2f}"', ON_PANEL)]))
    if status.free_bytes is not None:
        low = status.free_bytes < LOW_BYTES
        words = f"  {'only ' if low else ''}{status.free_bytes / 1e9:.{1 if low else 0}f} GB"
        parts.append((1 if low else 8, [(words, LOUD if low else ON_PANEL)]))
    left_s = remaining_s(status)
    if left_s is not None:
        ends = now + timedelta(seconds=left_s)
        parts.append((7, [("  till ", FAINT), (f"{ends:%H:%M}", ON_PANEL)]))
    return parts


def temperature(status: Status) -> str:
    """Of the sensor, and while it is on its way, where to; how hard the cooler works."""
    now, goal = status.sensor_celsius or 0.0, status.setpoint_celsius
    way = f"/{goal:.0f}" if goal is not None and abs(now - goal) >= 1 else ""
    power = "" if status.cooler_percent is None else f" {status.cooler_percent:.0f}%"
    return f"{now:.1f}{way}°C{power}"


def remaining_s(status: Status) -> float | None:
    """Of light still to be gathered; None where the end is not known, or nothing is being exposed."""
    if status.frames is None or not status.seconds or status.state is not State.EXPOSING:
        return None
    return (status.frames - status.frame + 1) * status.seconds - (status.exposed_s or 0.0)


def progress(night: Night, columns: int) -> list[Piece]:
    """A bar to the eighth of a column: of the exposure, with what is left of it, else of the series."""
    status, after = night.status, ""
    if status is not None and status.seconds and status.exposed_s is not None:
        part = status.exposed_s / status.seconds
        after = f" {max(status.seconds - status.exposed_s, 0):.0f}s "
    elif night.planned_frames:
        part = (night.count(Standing.STACKED) + night.count(Standing.REJECTED)) / night.planned_frames
    else:
        return []
    eighths = min(round(8 * columns * part), 8 * columns)
    filled = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return [("▕", FAINT), (filled.ljust(columns), ON_PANEL), ("▏", FAINT), (after, ON_PANEL)]
