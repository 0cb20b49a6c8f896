"""Pane 3: the stack as it grows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from rich.style import Style
from textual.strip import Strip

from starwell.session.events import PreviewReady
from starwell.terminal.cells import Row
from starwell.terminal.colours import RGB, ColourDepth
from starwell.terminal.draw import Mode, draw
from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, PLAIN, Pane, line


class Preview(Pane):
    """The newest picture, drawn again only when it, the size or the colours change."""

    def __init__(
        self, night: Night, depth: ColourDepth, mode: Mode, stretch: str, *, red: bool = False
    ) -> None:
        super().__init__(night, id="preview", classes="pane")
        self._depth, self._mode, self._stretch = depth, mode, stretch
        self._shown: PreviewReady | None = None
        self._red = red
        self._title()

    def show(self, picture: PreviewReady) -> None:
        """A newer picture."""
        self._shown = picture
        self._title()
        self.redraw()

    def stretched(self, name: str) -> None:
        """The next pictures come in this stretch."""
        self._stretch = name
        self._title()

    def redden(self, red: bool) -> None:
        """Draw in reds from the start: with so few of them the split of the cells differs."""
        self._red = red
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """The picture, fitted and centred."""
        shown = self._shown
        if shown is None or width < 1 or height < 1:
            text = "the first stacked sub appears here"
            return [Strip.blank(width, PLAIN)] * (height // 2) + [line([(f"{text:^{width}}", DIM)], width)]
        shape = (
            (shown.rows, shown.columns)
            if shown.channels == 1
            else (shown.rows, shown.columns, shown.channels)
        )
        picture = np.frombuffer(shown.pixels, np.uint8).reshape(shape)
        rows = draw(picture, width, height, self._depth, mode=self._mode, night=self._red)
        return [strip(row, width) for row in rows]

    def _title(self) -> None:
        of = self._shown.of if self._shown else "stack"
        self.border_title = f"3 Preview  {of} ▸ {self._stretch} ▸ fit"


def strip(row: Row, width: int) -> Strip:
    """A row of the mosaic as Textual wants it."""
    return line([(run.text, look(run.fg, run.bg)) for run in row], width)


@lru_cache(4096)
def look(fg: RGB | None, bg: RGB | None) -> Style:
    """A style by its two colours; made once, for Rich's are costly."""
    return PLAIN + Style(color=fg.hex if fg else None, bgcolor=bg.hex if bg else None)
