"""What the status line is made of, part by part."""

from __future__ import annotations

from datetime import datetime, timedelta

from rich.style import Style

from starwell.remote.messages import Status
from starwell.session.events import State
from starwell_tui.night import Night, Standing
from starwell_tui.panes.pane import Piece, duration
from starwell_tui.theme import ACCENT, BAD, GOOD, GROUND, INK, MUTED, PANEL, style

WIDE_COLUMNS = 100
WARNED_AFTER = 3
"""Rejected subs in a row that colour the line."""
LOW_BYTES = 5e9
"""Room on the disk that is told from everywhere."""
OFF_CELSIUS = 1.0
"""So far from its set point a sensor is not where it should be."""
LONGEST_WHY, LONGEST_END = 40, 24
EIGHTHS = " ▏▎▍▌▋▊▉"

ON_PANEL, FAINT, LOUD = style(INK, PANEL), style(MUTED, PANEL), style(ACCENT, PANEL, bold=True)

Part = tuple[int, list[Piece]]
"""What belongs together, and how readily it is left out; 0 is never."""


def state(night: Night) -> Piece:
    """What the engine does, in one word, as loud as it deserves."""
    ground = INK if night.rejected_in_a_row < WARNED_AFTER else ACCENT
    if night.gone:
        return " ● NO ENGINE " if night.status is None else " ● ENGINE GONE ", _plate(BAD)
    if not night.heard and night.status is None:
        return " ● STARTING ", _plate(INK)
    if night.state is State.FAULT:
        ground = BAD
    word = night.state.value.upper()
    if night.finished and night.state is State.IDLE:
        word = "FINISHED"
    elif night.status and night.status.mode:
        word = night.status.mode.upper()
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
        off = status.state is State.EXPOSING and far(status)
        parts.append((1 if off else 3, [(f"  {temperature(status)}", LOUD if off else ON_PANEL)]))
    if status.guide_rms_arcsec is not None:
        parts.append((6, [("  guide ", FAINT), (f'{status.guide_rms_arcsec:.2f}"', ON_PANEL)]))
    if status.free_bytes is not None:
        low = status.free_bytes < LOW_BYTES
        words = f"  {'only ' if low else ''}{status.free_bytes / 1e9:.{1 if low else 0}f} GB"
        parts.append((1 if low else 8, [(words, LOUD if low else ON_PANEL)]))
    left_s = remaining_s(status)
    if status.ends:
        parts.append((7, [("  till ", FAINT), (end_of(status), ON_PANEL)]))
    elif left_s is not None:
        ends = now + timedelta(seconds=left_s)
        parts.append((7, [("  till ", FAINT), (f"{ends:%H:%M}", ON_PANEL)]))
    return parts


def end_of(status: Status) -> str:
    """What ends the sequence, and when; how many frames there are is told elsewhere."""
    counted, _, hour = status.ends.partition(" at ")
    return hour if hour and " of " in counted else shortened(status.ends, LONGEST_END)


def far(status: Status) -> bool:
    """Whether a cooled sensor is not at its set point."""
    now, goal = status.sensor_celsius, status.setpoint_celsius
    cooled = status.cooler_on is not False and now is not None and goal is not None
    return cooled and abs((now or 0.0) - (goal or 0.0)) >= OFF_CELSIUS


def temperature(status: Status) -> str:
    """Of the sensor, and while it is on its way, where to; how hard the cooler works."""
    now, goal = status.sensor_celsius or 0.0, status.setpoint_celsius
    way = f"/{goal:.0f}" if goal is not None and far(status) else ""
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
    if status is not None and status.mode:
        return []
    if status is not None and status.seconds and status.exposed_s is not None:
        part = status.exposed_s / status.seconds
        after = f" {max(status.seconds - status.exposed_s, 0):.0f}s "
    elif night.planned_frames:
        done = night.count(Standing.STACKED) + night.count(Standing.REJECTED)
        part = (status.frame if status else done) / night.planned_frames
    else:
        return []
    eighths = min(round(8 * columns * part), 8 * columns)
    filled = "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")
    return [("▕", FAINT), (filled.ljust(columns), ON_PANEL), ("▏", FAINT), (after, ON_PANEL)]
