"""What happened, in words and by the clock, newest last."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from textual import events
from textual.widget import Widget

from starwell.remote.messages import Note
from starwell_tui.desk import Desk
from starwell_tui.panes.page import SCROLL, Page
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Piece, wrapped
from starwell_tui.screens.ask import Entry
from starwell_tui.screens.sheet import Keys, Sheet
from starwell_tui.theme import ACCENT, BAD, style

UNHEARD = "--:--:--"
"""For what was told before this screen came."""
BESIDE = len(UNHEARD) + 3


class Lines(Page):
    """The lines of the log."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.night, id="log", from_end=True)
        self.border_title = "Log"

    def rows(self, width: int) -> list[list[Piece]]:
        """Each line with its time; long ones wrapped."""
        rows: list[list[Piece]] = []
        for at, words in self.night.log:
            first, *rest = wrapped(words, width - BESIDE - 1)
            look = style(ACCENT) if words.startswith("note: ") else _look(words)
            rows.append([(f" {at:%H:%M:%S}  " if at else f" {UNHEARD}  ", LABEL), (first, look)])
            rows += [[(f"{'':{BESIDE}}{more}", look)] for more in rest]
        return rows or [[(" nothing happened yet", DIM)]]


class Log(Sheet[None]):
    """The page, and a key to write into it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._page = Lines(desk)

    def body(self) -> Iterable[Widget]:
        """The page alone."""
        yield self._page

    def offered(self) -> Keys:
        """What can be done."""
        return (("arrows", "Earlier, later"), ("m", "Note"), ("esc", "Back"))

    def pressed(self, event: events.Key) -> bool:
        """Scroll, write, or go back as esc does."""
        key = event.key
        if key in SCROLL:
            self._page.scroll(SCROLL[key])
        elif key == "m":
            self.run_worker(self._note(), exclusive=True)
        elif key in ("L", "q"):
            self.leave()
        return key in (*SCROLL, "m", "L", "q")

    async def _note(self) -> None:
        if text := await self.app.push_screen_wait(Entry(self.night, "Note:")):
            await self.ask(Note(text))


def _look(words: str) -> Style:
    return style(BAD) if "left out" in words or words.startswith("camera:") else PLAIN
