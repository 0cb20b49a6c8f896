"""Pane 3: the stack as it grows, or another picture of the night."""

from __future__ import annotations

import sys
from math import ceil

from textual.geometry import Region
from textual.strip import Strip
from textual.timer import Timer

from starwell.remote.messages import Box, Look
from starwell.session.events import PreviewReady
from starwell.terminal import sixel
from starwell.terminal.cells import CELL_ASPECT
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode, draw
from starwell_tui.looks import Looks
from starwell_tui.marks import crosshair, outline
from starwell_tui.night import Night
from starwell_tui.pace import Pace
from starwell_tui.panes.awaited import awaited
from starwell_tui.panes.drawn import same_size, sixels, strip, without_sixels
from starwell_tui.panes.pane import PLAIN, Pane, line
from starwell_tui.panes.preview_title import title
from starwell_tui.parts import wanted
from starwell_tui.view import View
from starwell_tui.viewpoint import SMALLEST_PX, STEP, Picture, Window, full_size, pixels_of

SIXEL = "sixel"
DOTS: dict[str, float] = {Mode.QUAD: 2, Mode.HALF: 1, Mode.ASCII: 1}
"""Dots of a cell across."""
CELL_PX = (20, 10)
"""Where sixels are asked for and the terminal does not say how large its characters are."""
VIEWS = ("stack", "sub", "calibrated", "masked", "coverage", "reference")
"""In the order of the key; whatever else there is comes after them."""
BLINK_S = 0.8
Drawn = tuple[PreviewReady | None, tuple[object, ...]]
"""The picture on the screen, and all else that it depends on."""


class Preview(Pane):
    """A picture, drawn again only when it, the view, the size or the colours change.

    A newer picture of the same waits for the terminal, as `pace` says; what the user does never waits.
    """

    def __init__(
        self, night: Night, view: View, depth: ColourDepth, looks: Looks, pace: Pace, *, sixels: bool
    ) -> None:
        super().__init__(night, id="preview", classes="pane")
        self.view = view
        self._dots = [*Mode, SIXEL] if sixels or view.dots == SIXEL else list(Mode)
        self._depth, self._looks, self._pace = depth, looks, pace
        self._drawn: Drawn = None, ()
        self._later: Timer | None = None
        self._blinking: Timer | None = None
        self._title()

    @property
    def shown(self) -> PreviewReady | None:
        """The whole picture."""
        return self.night.pictures.get(self.view.shown)

    @property
    def box(self) -> Box | None:
        """The target box on the stack, as it was put, else as it was measured."""
        known, view = self.night.box, self.view
        if view.box is None and known is not None:
            return Box(known.x, known.y, known.width, known.height)
        return view.box

    @property
    def wanted(self) -> Look:
        """What the engine should show: the picture, and where it is looked at closely, that part of it."""
        of = self.view.blink or self.view.of
        whole = None if self.view.blink else self.night.pictures.get(of)
        window = self._window(*full_size(whole)) if whole else Window(0, 0, 1, 1)
        return wanted(of, whole, window, self.view.given)

    def next_view(self) -> str:
        """Another picture; without an engine to ask, of those there are. Its name."""
        known = self.night.pictures
        names = list(VIEWS) if self.night.status else [name for name in VIEWS if name in known]
        names += [name for name in known if name not in (*names, "focus", "corners")]
        if names:
            at = names.index(self.view.of) if self.view.of in names else -1
            self.view.of, self.view.blink = names[(at + 1) % len(names)], ""
        return self.view.of

    def blink(self) -> None:
        """The stack by turns with the reference, then with the last sub, then no more."""
        order = ["", "reference", "sub"]
        self.view.blink = order[(order.index(self.view.blink) + 1) % 3]
        self.view.other = bool(self.view.blink)

    def next_dots(self) -> str:
        """The next way to draw, where the terminal has it."""
        self.view.dots = self._dots[(self._dots.index(self.view.dots) + 1) % len(self._dots)]
        return self.view.dots

    def turn(self) -> None:
        """The other one of the two."""
        self.view.other = not self.view.other
        self.told()

    def zoom(self, how: str) -> None:
        """`in`, `out`, `fit`, or so that one pixel is one `dots`."""
        shown, view = self.shown, self.view
        if how == "fit" or shown is None:
            view.viewpoint = view.viewpoint.whole()
            return
        fit, most = self._fit(shown)
        one = 1 / (self._dots_across() * fit)
        factor = {"in": STEP, "out": 1 / STEP}.get(how, one / view.viewpoint.zoom)
        view.viewpoint = view.viewpoint.zoomed(factor, max(most, one))

    def told(self) -> None:
        """Only another picture is worth drawing; sixels replace each other without a blank between them."""
        self._title()
        self._timed()
        before, depended = self._drawn
        same = self._depends() == depended
        if same and self.shown is before:
            return
        if same and before is not None and (wait_s := self._pace.wait_s):
            self._later = self._later or self.set_timer(wait_s, self._come)
            return
        self._strips = None
        last_line = Region(0, self.content_size.height - 1, self.content_size.width, 1)
        still = self.view.dots == SIXEL and same_size(before, self.shown)
        self.refresh(*([last_line] if still else []))

    def strips(self, width: int, height: int) -> list[Strip]:
        """The picture, fitted and centred."""
        shown = self.shown
        self._drawn = shown, self._depends()
        self._title()
        if shown is None or width < 1 or height < 1:
            return self._without(width, height)
        self._pace.drew()
        part = self._part(shown)
        if self.view.dots == SIXEL:
            return sixels(part, self.content_region, self._cell_px(), self._looks.brightness)
        mode, red = Mode(self.view.dots), self._looks.red
        rows = draw(part, width, height, self._depth, mode=mode, night=red)
        return [strip(row, width) for row in rows]

    def render_line(self, y: int) -> Strip:
        """One line of the pane; sixels only while nothing lies over it."""
        drawn = super().render_line(y)
        return drawn if self.view.dots != SIXEL or self.screen.is_active else without_sixels(drawn)

    def _come(self) -> None:
        self._later = None
        self.told()

    def _timed(self) -> None:
        """Blink for as long as it is wanted."""
        if self.view.blink and self._blinking is None:
            self._blinking = self.set_interval(BLINK_S, self.turn)
        elif not self.view.blink and self._blinking is not None:
            self._blinking.stop()
            self._blinking = None

    def _depends(self) -> tuple[object, ...]:
        """What a drawn picture depends on, but for the picture itself."""
        view = self.view
        crop = self.night.crops.get(view.shown) if view.given.crop else None
        lost = bool(self.night.gone)
        look = view.shown, view.viewpoint, view.dots, view.crosshair, self._looks.brightness, lost
        return *look, self.box if view.shown == "stack" else None, id(crop)

    def _part(self, shown: PreviewReady) -> Picture:
        """What is seen of the picture, at one pixel to a pixel where that has come, with its marks."""
        full = full_size(shown)
        window = self._window(*full)
        crop = self.night.crops.get(self.view.shown) if self.view.given.crop else None
        if crop is not None and crop.crop and window.within(Window(*crop.crop)):
            left, top, _, _ = crop.crop
            part = window._replace(left=window.left - left, top=window.top - top).of(pixels_of(crop))
        else:
            part = self._window(shown.rows, shown.columns).of(pixels_of(shown))
        return self._marked(part, window, full)

    def _marked(self, part: Picture, window: Window, full: tuple[int, int]) -> Picture:
        scale = part.shape[1] / window.columns
        thick = ceil(part.shape[1] / max(self.content_size.width * self._dots_across(), 1))
        box = self.box if self.view.shown == "stack" else None
        if box is not None and box.width:
            left, top = (box.x - window.left) * scale, (box.y - window.top) * scale
            part = outline(part, left, top, left + box.width * scale, top + box.height * scale, thick)
        if self.view.crosshair:
            x, y = full[1] / 2 - window.left, full[0] / 2 - window.top
            part = crosshair(part, x * scale, y * scale, thick)
        return part

    def _window(self, tall: int, wide: int) -> Window:
        width, height = self.content_size
        return self.view.viewpoint.window(tall, wide, max(width, 1), max(height, 1) * self._aspect())

    def _without(self, width: int, height: int) -> list[Strip]:
        words, look = awaited(self.night, self.view)
        top, left = max((height - len(words)) // 2, 0), max((width - max(map(len, words))) // 2, 0)
        lines = [line([(" " * left + text, look)], width) for text in words]
        return ([Strip.blank(width, PLAIN)] * top + lines)[:height]

    def _fit(self, shown: PreviewReady) -> tuple[float, float]:
        """Columns to a pixel when the whole picture is shown, and the nearest zoom."""
        width, height = self.content_size
        tall, wide = full_size(shown)
        fit = min(max(width, 1) / wide, max(height, 1) * self._aspect() / tall)
        return fit, width / (fit * SMALLEST_PX)

    def _dots_across(self) -> float:
        return self._cell_px()[1] if self.view.dots == SIXEL else DOTS[self.view.dots]

    def _aspect(self) -> float:
        tall, wide = self._cell_px() if self.view.dots == SIXEL else (CELL_ASPECT, 1.0)
        return tall / wide

    def _cell_px(self) -> tuple[int, int]:
        return sixel.cell_px(sys.__stdin__.fileno() if sys.__stdin__ else 0) or CELL_PX

    def _title(self) -> None:
        shown = self.shown
        one = self._fit(shown)[0] * self._dots_across() if shown and self.is_mounted else 0.0
        fresh = title(self.night, self.view, shown, one * self.view.viewpoint.zoom)
        if self.border_title != fresh:
            self.border_title = fresh
