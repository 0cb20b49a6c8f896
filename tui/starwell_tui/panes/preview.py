"""Pane 3: the stack as it grows, or another picture of the night."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import lru_cache

from rich.segment import ControlType, Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from starwell.session.events import PreviewReady
from starwell.terminal import sixel
from starwell.terminal.cells import CELL_ASPECT, Row
from starwell.terminal.colours import RGB, ColourDepth
from starwell.terminal.draw import Mode, draw
from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, PLAIN, Pane, line
from starwell_tui.viewpoint import SMALLEST_PX, STEP, Picture, Viewpoint, pixels_of

SIXEL = "sixel"
DOTS: dict[str, float] = {Mode.QUAD: 2, Mode.HALF: 1, Mode.ASCII: 1}
"""Dots of a cell across."""
CELL_PX = (20, 10)
"""Where sixels are asked for and the terminal does not say how large its characters are."""
VIEWS = ("stack", "sub", "masked", "coverage")
"""In the order of the key; whatever else there is comes after them."""
WAITING: tuple[str, ...] = ("the first stacked sub appears here",)
HOW_TO_START: tuple[str, ...] = (
    "No engine is running. Start one:",
    "",
    "starwell run --camera CAMERA --exposure 60",
    "starwell run --help    says more",
    "starwell demo          needs no camera",
    "",
    "This screen comes alive by itself.",
)
CONTROL: Sequence[tuple[ControlType, int]] = ((ControlType.CURSOR_FORWARD, 0),)
"""Tells Textual that a segment moves nothing and takes no columns."""


class Preview(Pane):
    """A picture, drawn again only when it, the view, the size or the colours change."""

    def __init__(
        self, night: Night, depth: ColourDepth, dots: str, stretch: str, *, reds: float | None = None
    ) -> None:
        super().__init__(night, id="preview", classes="pane")
        self.dots = dots
        self.of = "stack"
        self.viewpoint = Viewpoint()
        self._depth, self._stretch, self._reds = depth, stretch, reds
        self._drawn: tuple[PreviewReady | None, bool] = None, False
        self._title()

    @property
    def shown(self) -> PreviewReady | None:
        """The picture."""
        return self.night.pictures.get(self.of)

    def next_view(self) -> str:
        """Another picture, where there is one; its name."""
        names = [name for name in VIEWS if name in self.night.pictures]
        names += [name for name in self.night.pictures if name not in names]
        if names:
            at = names.index(self.of) if self.of in names else -1
            self.of = names[(at + 1) % len(names)]
            self._changed()
        return self.of

    def look_from(self, viewpoint: Viewpoint) -> None:
        """Another part, or another contrast."""
        self.viewpoint = viewpoint
        self._changed()

    def zoom(self, how: str) -> None:
        """`in`, `out`, `fit`, or so that one pixel is one `dots`."""
        shown = self.shown
        if how == "fit" or shown is None:
            self.look_from(self.viewpoint.whole())
            return
        fit, most = self._fit(shown)
        one = 1 / (self._dots_across() * fit)
        factor = {"in": STEP, "out": 1 / STEP}.get(how, one / self.viewpoint.zoom)
        self.look_from(self.viewpoint.zoomed(factor, max(most, one)))

    def draw_in(self, dots: str) -> None:
        """Draw in other dots."""
        self.dots = dots
        self._changed()

    def stretched(self, name: str) -> None:
        """The next pictures come in this stretch."""
        self._stretch = name
        self._changed()

    def redden(self, reds: float | None) -> None:
        """Draw in reds of this brightness: with so few of them the split of the cells differs."""
        self._reds = reds
        self.redraw()

    def told(self) -> None:
        """Only another picture is worth drawing; sixels replace each other without a blank between them."""
        before, lost = self._drawn
        if self.shown is before and bool(self.night.gone) is lost:
            return
        self._strips = None
        last_line = Region(0, self.gutter.top + self.content_size.height - 1, self.outer_size.width, 1)
        self.refresh(*([last_line] if self.dots == SIXEL and same_size(before, self.shown) else []))

    def strips(self, width: int, height: int) -> list[Strip]:
        """The picture, fitted and centred."""
        shown = self.shown
        self._drawn = shown, bool(self.night.gone)
        self._title()
        if shown is None or width < 1 or height < 1:
            return self._without(width, height)
        tall = height * self._aspect()
        part = self.viewpoint.cut(pixels_of(shown), width, tall)
        if self.dots == SIXEL:
            return self._sixels(part, width, height)
        red = self._reds is not None
        return [
            strip(row, width)
            for row in draw(part, width, height, self._depth, mode=Mode(self.dots), night=red)
        ]

    def render_line(self, y: int) -> Strip:
        """One line of the pane; sixels only while nothing lies over it."""
        drawn = super().render_line(y)
        return drawn if self.dots != SIXEL or self.screen.is_active else without_sixels(drawn)

    def _sixels(self, part: Picture, width: int, height: int) -> list[Strip]:
        """Blank lines, the last of which ends with the whole picture and leaves the cursor alone."""
        tall, wide = self._cell_px()
        sequence = sixel.render(
            part, width * wide, height * tall, night=self._reds is not None, brightness=self._reds or 1.0
        )
        taken = sixel.fitted_px(part.shape, width * wide, height * tall)
        region = self.content_region
        row = region.y + (height * tall - taken[0]) // (2 * tall) + 1
        column = region.x + (width * wide - taken[1]) // (2 * wide) + 1
        placed = f"\x1b7\x1b[{row};{column}H{sequence}\x1b8"
        blank = Segment(" " * width, PLAIN)
        return [Strip([blank], width)] * (height - 1) + [
            Strip([blank, Segment(placed, None, CONTROL)], width)
        ]

    def _without(self, width: int, height: int) -> list[Strip]:
        night = self.night
        lost = bool(night.gone and night.status is None)
        words, look = (HOW_TO_START, PLAIN) if lost else (WAITING, DIM)
        top, left = max((height - len(words)) // 2, 0), max((width - max(map(len, words))) // 2, 0)
        lines = [line([(" " * left + text, look)], width) for text in words]
        return ([Strip.blank(width, PLAIN)] * top + lines)[:height]

    def _fit(self, shown: PreviewReady) -> tuple[float, float]:
        """Columns to a pixel when the whole picture is shown, and the nearest zoom."""
        width, height = self.content_size
        fit = min(max(width, 1) / shown.columns, max(height, 1) * self._aspect() / shown.rows)
        return fit, width / (fit * SMALLEST_PX)

    def _dots_across(self) -> float:
        return self._cell_px()[1] if self.dots == SIXEL else DOTS[self.dots]

    def _aspect(self) -> float:
        tall, wide = self._cell_px() if self.dots == SIXEL else (CELL_ASPECT, 1.0)
        return tall / wide

    def _cell_px(self) -> tuple[int, int]:
        return sixel.cell_px(sys.__stdin__.fileno() if sys.__stdin__ else 0) or CELL_PX

    def _changed(self) -> None:
        self._title()
        self.redraw()

    def _title(self) -> None:
        view = self.viewpoint
        shown = self.shown
        label = f" {shown.stack}" if shown and shown.stack else ""
        near = "fit" if view.zoom == 1 else f"×{view.zoom:.1f}"
        contrast = "" if (view.black, view.white) == (0, 255) else f" ▸ {view.black}…{view.white}"
        title = f"3 Preview  {self.of}{label} ▸ {self._stretch} ▸ {near}{contrast}"
        if self.border_title != title:
            self.border_title = title


def same_size(one: PreviewReady | None, other: PreviewReady | None) -> bool:
    """Whether one picture covers the other."""
    return bool(one and other and (one.rows, one.columns) == (other.rows, other.columns))


def without_sixels(drawn: Strip) -> Strip:
    """The line without pictures in it."""
    segments = [segment for segment in drawn if not segment.control]
    return Strip(segments, drawn.cell_length)


def strip(row: Row, width: int) -> Strip:
    """A row of the mosaic as Textual wants it."""
    return line([(run.text, colours(run.fg, run.bg)) for run in row], width)


@lru_cache(4096)
def colours(fg: RGB | None, bg: RGB | None) -> Style:
    """A style by its two colours; made once, for Rich's are costly."""
    return PLAIN + Style(color=fg.hex if fg else None, bgcolor=bg.hex if bg else None)
