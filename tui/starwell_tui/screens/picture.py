"""A picture of the night on a sheet, drawn in the terminal's colours."""

from __future__ import annotations

from textual.strip import Strip

from starwell.session.events import PreviewReady
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode, draw
from starwell_tui.night import Night
from starwell_tui.panes.drawn import strip
from starwell_tui.panes.pane import DIM, Pane, line
from starwell_tui.theme import NightRed
from starwell_tui.viewpoint import pixels_of

DEPTHS = {
    "truecolor": ColourDepth.TRUE,
    "256": ColourDepth.INDEXED,
    "standard": ColourDepth.SIXTEEN,
}
"""By Textual's names."""


class Picture(Pane):
    """The newest picture of this name, fitted; drawn again only when there is another."""

    def __init__(self, night: Night, of: str, title: str, waiting: str) -> None:
        super().__init__(night, id=of, classes="pane")
        self.border_title = title
        self._of, self._waiting = of, waiting
        self._drawn: PreviewReady | None = None

    def told(self) -> None:
        """Only another picture is worth drawing."""
        if self._newest is not self._drawn:
            self.redraw()

    @property
    def _newest(self) -> PreviewReady | None:
        return self.night.crops.get(self._of) or self.night.pictures.get(self._of)

    def strips(self, width: int, height: int) -> list[Strip]:
        """The mosaic, or what is waited for."""
        shown = self._drawn = self._newest
        if shown is None or width < 4 or height < 2:
            return [line([(f" {self._waiting}", DIM)], width)][:height]
        depth = DEPTHS.get(self.app.console.color_system or "", ColourDepth.INDEXED)
        red = any(isinstance(last, NightRed) for last in self.app.get_line_filters())
        rows = draw(pixels_of(shown), width, height, depth, mode=Mode.QUAD, night=red)
        return [strip(row, width) for row in rows]
