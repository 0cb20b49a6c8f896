"""A pane of more lines than fit, looked through with the arrows."""

from __future__ import annotations

from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import Pane, Piece, line

SCROLL = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": 10, "pageup": -10, "end": 9999, "home": -9999}


class Page(Pane):
    """Its rows depend on the width alone; `from_end`: the last ones are seen first."""

    def __init__(self, night: Night, *, id: str, from_end: bool = False) -> None:  # noqa: A002, Textual's name
        super().__init__(night, id=id, classes="pane -chosen")
        self._from_end = from_end
        self._skipped = 0
        self._most = 0

    def rows(self, width: int) -> list[list[Piece]]:
        """All of them."""
        raise NotImplementedError

    def scroll(self, steps: int) -> None:
        """Down by so many lines, or up."""
        self._skipped = min(max(self._skipped + (-steps if self._from_end else steps), 0), self._most)
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """As many as fit."""
        rows = self.rows(width)
        self._most = max(len(rows) - height, 0)
        skipped = min(self._skipped, self._most)
        top = self._most - skipped if self._from_end else skipped
        return [line(row, width) for row in rows[top : top + height]]
