"""Help: the chosen pane's keys and meaning, then every other key."""

from __future__ import annotations

from rich.style import Style
from textual import events
from textual.app import ComposeResult

from starwell_tui.desk import Desk
from starwell_tui.keys import Key
from starwell_tui.night import Night, Standing
from starwell_tui.panes.frames import MARKS
from starwell_tui.panes.page import SCROLL, Page
from starwell_tui.panes.pane import PLAIN, Piece, wrapped
from starwell_tui.screens.over import Over
from starwell_tui.theme import ACCENT, BRIGHT, style

MEANINGS = {
    Standing.EXPOSING: "the shutter is open",
    Standing.MEASURING: "being calibrated, measured and aligned",
    Standing.STACKED: "in the stack; a trail is masked and costs only its own pixels",
    Standing.REJECTED: "not in the stack, and why; u puts it back",
}
WORDS = {
    "camera": "What the camera read back. A change applies from the next sub on; what your darks, or the "
    "stack, will not match asks for y first.",
    "frames": "FWHM in pixels, stars found, and the weight in the stack: transparency² over noise², 1 for the"
    " reference. Rejected subs stay on disk.",
    "preview": "What you see is stretched for the eye; the files stay linear. At = one pixel of the picture "
    "is one dot. Black and white change only what is shown here.",
    "noise": "Noise is in electrons per pixel of one sub. Ideal is one sub's noise over √ of the effective "
    "subs (a sub of weight 0.5 counts half). Reached is measured between half-stacks; at 1 px "
    "interpolation flatters it, so the efficiency is taken at larger blocks. Sky-limited: the sky's"
    " variance is ten times the read noise's.",
    "histogram": "How many pixels have which value, the height logarithmic. A peak at the left edge is "
    "clipped: raise the offset; one at the right edge is saturated: expose less.",
}


class HelpText(Page):
    """The page."""

    def __init__(self, night: Night, keys: tuple[Key, ...], pane: str) -> None:
        super().__init__(night, id="help")
        self._keys, self._pane = keys, pane
        self.border_title = f"Help  {self._pane}"
        self.border_subtitle = "arrows: more, any other key goes back"

    def rows(self, width: int) -> list[list[Piece]]:
        """What the pane shows, its keys, and all others."""
        mine = [key for key in self._keys if key.pane == self._pane]
        rows = [[(f" {text}", PLAIN)] for text in wrapped(WORDS[self._pane], width - 2)]
        rows += _entries(mine, width)
        if self._pane == "frames":
            for standing, meaning in MEANINGS.items():
                mark, look = MARKS[standing]
                rows += _entry(mark, look, meaning, width)
        rows += [[], [(" Everywhere", style(BRIGHT, bold=True))]]
        rows += _entries([key for key in self._keys if not key.pane], width)
        rows += [[], [(" In the other panes", style(BRIGHT, bold=True))]]
        return rows + _entries([key for key in self._keys if key.pane not in ("", self._pane)], width)


class Help(Over[None]):
    """Lies over the panes until a key is pressed that does not scroll it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._text = HelpText(desk.night, desk.keys, desk.view.pane)

    def compose(self) -> ComposeResult:
        """The one page."""
        yield self._text

    def on_key(self, event: events.Key) -> None:
        """Scroll, or go back and do nothing else."""
        event.stop()
        event.prevent_default()
        if event.key in SCROLL:
            self._text.scroll(SCROLL[event.key])
        else:
            self.dismiss()


def _entries(keys: list[Key], width: int) -> list[list[Piece]]:
    return [row for key in keys for row in _entry(key.shown, style(ACCENT, bold=True), key.meaning, width)]


def _entry(shown: str, look: Style, meaning: str, width: int) -> list[list[Piece]]:
    first, *rest = wrapped(meaning, width - 12)
    return [
        [(f" {shown:<9} ", look), (first, PLAIN)],
        *([(f"{'':11}{text}", PLAIN)] for text in rest),
    ]
