"""Help: the key table and what the marks mean."""

from __future__ import annotations

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen
from textual.strip import Strip

from starwell_tui.keys import KEYS
from starwell_tui.night import Night, Standing
from starwell_tui.panes.frames import MARKS
from starwell_tui.panes.pane import LABEL, PLAIN, Pane, Piece, line, wrapped
from starwell_tui.theme import ACCENT, style

MEANINGS = {
    Standing.EXPOSING: "the shutter is open",
    Standing.MEASURING: "being calibrated, measured and aligned",
    Standing.STACKED: "in the stack; a trail is masked and costs only its own pixels",
    Standing.REJECTED: "not in the stack, and why; u puts it back",
}
NOISE = (
    "Noise is in electrons per pixel of one sub. Ideal is one sub's noise over √ of the effective subs "
    "(a sub of weight 0.5 counts half). Reached is measured between half-stacks; at 1 px interpolation "
    "flatters it, so the efficiency is taken at blocks of 8 px."
)


class HelpText(Pane):
    """The page."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="help", classes="pane -chosen")
        self.border_title = "Help"
        self.border_subtitle = "any key goes back"

    def strips(self, width: int, height: int) -> list[Strip]:
        """Keys, marks, and the words of the noise pane, as far as they fit."""
        rows: list[list[Piece]] = []
        key_look = style(ACCENT, bold=True)
        for key in KEYS:
            rows += _entry(key.shown, key_look, key.meaning, width)
        rows.append([])
        for standing, meaning in MEANINGS.items():
            mark, look = MARKS[standing]
            rows += _entry(mark, look, meaning, width)
        rows.append([])
        rows += [[(f" {text}", LABEL)] for text in wrapped(NOISE, width - 2)]
        return [line(row, width) for row in rows[:height]]


class Help(ModalScreen[None], inherit_bindings=False):
    """Lies over the panes until a key is pressed."""

    def __init__(self, night: Night) -> None:
        super().__init__()
        self.night = night

    def compose(self) -> ComposeResult:
        """The one page."""
        yield HelpText(self.night)

    def on_key(self, event: events.Key) -> None:
        """Any key goes back, and does nothing else."""
        event.stop()
        event.prevent_default()
        self.dismiss()


def _entry(shown: str, look: Style, meaning: str, width: int) -> list[list[Piece]]:
    first, *rest = wrapped(meaning, width - 9)
    return [[(f" {shown:<7}", look), (first, PLAIN)], *([(f"{'':8}{text}", PLAIN)] for text in rest)]
