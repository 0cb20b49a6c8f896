"""Focus: how sharp it is, in figures to be read from the focuser, how it went, the star, the corners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rich.style import Style
from textual import events, work
from textual.containers import Container
from textual.strip import Strip
from textual.widget import Widget

from starwell.remote.messages import Focus as FocusCommand
from starwell.session.events import FocusMeasured
from starwell_tui.desk import Desk
from starwell_tui.digits import large
from starwell_tui.night import Night
from starwell_tui.panes.curve import DOTS
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, Piece, line, wrapped
from starwell_tui.screens.ask import Entry
from starwell_tui.screens.picture import Picture
from starwell_tui.screens.sheet import Keys, Sheet
from starwell_tui.theme import ACCENT, BAD, BRIGHT, GOOD, style

NEAR_BEST = 1.05
"""An HFR within this factor of the best one is as good as it gets."""
SHOWN = 60
"""Measurements on the curve."""
STEPS = {"plus": 2.0, "minus": 0.5}
SHORTEST_S, LONGEST_S = 0.1, 60.0
HOW = "On this screen: esc, n, then p opens the camera and waits."


class Sharpness(Pane):
    """HFR in large digits, best so far, range, and the curve below."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="sharpness", classes="pane -chosen")
        self.border_title = "Focus  HFR, px"
        self.refused = ""
        self._earlier = night.takings.focus[-1:]

    @property
    def run(self) -> list[FocusMeasured]:
        """The measurements since the sheet was opened, or all of the loop that went on meanwhile."""
        run = self.night.takings.focus
        return [] if run[-1:] == self._earlier else run

    def strips(self, width: int, height: int) -> list[Strip]:
        """As much as fits; the digits come first."""
        run = self.run
        if not run:
            told = self.refused or "Focus begins with the next frame: nothing is kept."
            return [line([(f" {text}", DIM)], width) for text in wrapped(told, width - 2)][:height]
        last = run[-1]
        scale = 2 if height >= 24 and width >= 56 else 1
        rows = [line([(f" {row}", verdict(last))], width) for row in large(figure(last), scale)]
        rows = [Strip.blank(width, PLAIN), *rows, Strip.blank(width, PLAIN)]
        rows += [line(pieces, width) for pieces in words(last)]
        room = height - len(rows) - 1
        if room >= 3:
            rows.append(Strip.blank(width, PLAIN))
            rows += [line(pieces, width) for pieces in curve(run[-SHOWN:], width, room)]
        return rows[:height]


class Focus(Sheet[None]):
    """The focus loop goes on while the sheet is there."""

    DEFAULT_CSS = """
    Focus #focusing { layout: horizontal; height: 1fr; }
    Focus #sharpness { width: 1fr; }
    Focus #seen { width: 46%; height: 1fr; layout: vertical; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._sharpness = Sharpness(desk.night)
        self._star = Picture(desk.night, "focus", "Star 1:1", "the brightest star appears here")
        self._corners = Picture(desk.night, "corners", "Corners", "the corners appear here")
        self.seconds: float | None = None
        self.loops = False

    def body(self) -> Iterable[Widget]:
        """Figures left, pictures right."""
        with_pictures = Container(self._star, self._corners, id="seen")
        yield Container(self._sharpness, with_pictures, id="focusing")

    def offered(self) -> Keys:
        """The exposure, and back."""
        return (("e", "Exposure"), ("+ -", "Longer, shorter"), ("esc F", "End focus"))

    def on_mount(self) -> None:
        """Begin."""
        super().on_mount()
        self._begin(None)

    def told(self) -> None:
        """The titles say which star, and how the corners are."""
        run = self._sharpness.run
        if run:
            saturated = "  saturated" if run[-1].saturated else ""
            peak = "" if run[-1].peak_adu is None else f"  {run[-1].peak_adu:.0f} ADU"
            self._star.border_title = f"Star 1:1{peak}{saturated}"
        super().told()

    def pressed(self, event: events.Key) -> bool:
        """Another exposure, or the end."""
        if event.key in STEPS:
            self._begin(min(max((self._now_s or 2.0) * STEPS[event.key], SHORTEST_S), LONGEST_S))
        elif event.key == "e":
            self._enter()
        elif event.key in ("escape", "F"):
            self._end()
        else:
            return False
        return True

    @property
    def _now_s(self) -> float | None:
        run = self._sharpness.run
        return self.seconds or (run[-1].seconds if run else None)

    @work(exclusive=True, group="focus")
    async def _begin(self, seconds: float | None) -> None:
        self.seconds = seconds or self.seconds
        reply = await self.ask(FocusCommand(True, seconds))
        self.loops = self.loops or reply.ok
        self._sharpness.refused = "" if self.loops else f"{reply.message} {HOW}"
        self._sharpness.redraw()

    @work(exclusive=True, group="focus")
    async def _enter(self) -> None:
        text = await self.app.push_screen_wait(Entry(self.night, "Exposure of the focus loop, s:"))
        try:
            seconds = float(text.replace(",", "."))
        except ValueError:
            seconds = 0.0
        if SHORTEST_S <= seconds <= LONGEST_S:
            self.seconds = seconds
            await self.ask(FocusCommand(True, seconds))
        elif text:
            self.say(f"The exposure is {SHORTEST_S:g} to {LONGEST_S:g} s, not '{text}'.", good=False)

    @work(exclusive=True, group="focus")
    async def _end(self) -> None:
        if self.loops:
            await self.ask(FocusCommand(False))
        self.dismiss()


def figure(now: FocusMeasured) -> str:
    """The HFR in at most four characters, so that it never jumps."""
    if now.hfr_px is None:
        return "--"
    return f"{now.hfr_px:.2f}" if now.hfr_px < 10 else f"{now.hfr_px:.1f}"


def verdict(now: FocusMeasured) -> Style:
    """The colour of the digits: as good as the best, or not."""
    if now.hfr_px is None:
        return style(BAD, bold=True)
    best = now.best_hfr_px or now.hfr_px
    return style(GOOD if now.hfr_px <= best * NEAR_BEST else BRIGHT, bold=True)


def words(now: FocusMeasured) -> list[list[Piece]]:
    """Best, range, FWHM, stars, exposure, temperature."""

    def px(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    celsius = "" if now.celsius is None else f"  {now.celsius:.1f} °C"
    best = (" best ", LABEL), (px(now.best_hfr_px), style(GOOD, bold=True))
    spread_px = f"{px(now.low_px)} to {px(now.high_px)}"
    return [
        [*best, ("  95 % in ", LABEL), (spread_px, PLAIN)],
        [(" FWHM ", LABEL), (px(now.fwhm_px), PLAIN), (f"  {now.stars} stars", PLAIN)],
        [(f" {now.seconds:g} s{celsius}  frame {now.number}", LABEL)],
        *thirds(now),
    ]


def curve(run: Sequence[FocusMeasured], columns: int, rows: int) -> list[list[Piece]]:
    """HFR from frame to frame: a dot each, the best one's level in the last column's label."""
    points = [(at, seen.hfr_px) for at, seen in enumerate(run) if seen.hfr_px is not None]
    if len(points) < 2:
        return []
    values = [value for _, value in points]
    low, high = min(values), max(values)
    room = max(high - low, 0.02 * high)
    low, high = low - 0.1 * room, high + 0.1 * room
    width = columns - 8
    bits = np.zeros((rows, width), np.int64)
    for at, value in points:
        x = (2 * width - 1) * at // max(len(run) - 1, 1)
        y = round((4 * rows - 1) * (high - value) / (high - low))
        bits[y // 4, x // 2] |= DOTS[y % 4, x % 2]
    ends = {0: f"{high:.2f}", rows - 1: f"{low:.2f}"}
    return [
        [
            (f" {ends.get(y, ''):>5}▏", LABEL),
            ("".join(chr(0x2800 + int(cell)) if cell else " " for cell in bits[y]), style(ACCENT)),
        ]
        for y in range(rows)
    ]


def thirds(now: FocusMeasured) -> list[list[Piece]]:
    """The HFRs of the thirds of the frame, as they lie: tilt and curvature show in them."""
    said = [f"{'-' if value is None else f'{value:.2f}':>6}" for value in now.corners]
    rows = [said[row : row + 3] for row in range(0, len(said), 3)]
    labels = [" corners", *[""] * (len(rows) - 1)]
    return [[(f"{label:<8}", LABEL), ("".join(row), PLAIN)] for label, row in zip(labels, rows, strict=True)]
