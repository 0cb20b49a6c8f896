"""One line at the bottom that asks: for the letter y, or for a value."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import OneLine, line
from starwell_tui.theme import ACCENT, BRIGHT, GROUND, PANEL, style

PATIENCE_S = 30.0
"""A question that nobody answers is answered no."""
LONGEST = 80
ASKED, TYPED, HINT = style(GROUND, ACCENT, bold=True), style(BRIGHT, PANEL, bold=True), style(GROUND, ACCENT)


class QuestionLine(OneLine):
    """The question."""

    def __init__(self, night: Night, text: str) -> None:
        super().__init__(night, id="question")
        self._text = text

    def only(self, width: int) -> Strip:
        """The line; what to press is always whole."""
        hint = "  y: yes, any other key: no "
        return Strip.join(
            [line([(f" {self._text}", ASKED)], width - len(hint), ASKED), line([(hint, HINT)], len(hint))]
        )


class Question(ModalScreen[bool], inherit_bindings=False):
    """True for y; False for every other key, and for none."""

    def __init__(self, night: Night, text: str) -> None:
        super().__init__()
        self._line = QuestionLine(night, text)

    def compose(self) -> ComposeResult:
        """The one line."""
        yield self._line

    def on_mount(self) -> None:
        """Wait, but not for ever."""
        self.set_timer(PATIENCE_S, lambda: self.dismiss(False))

    def on_key(self, event: events.Key) -> None:
        """The answer, and nothing else."""
        event.stop()
        event.prevent_default()
        self.dismiss(event.character == "y")


class EntryLine(OneLine):
    """What is asked for, and what was typed so far."""

    def __init__(self, night: Night, label: str, beside: str) -> None:
        super().__init__(night, id="entry")
        self._label, self._beside = label, beside
        self.typed = ""

    def only(self, width: int) -> Strip:
        """The line."""
        if self._beside:
            room = max(width - len(self._beside) - 1, 0)
            entered = [(f" {self._label:<9} ", ASKED), (f"{self.typed}▏", TYPED)]
            return Strip.join([line(entered, room, TYPED), line([(f"{self._beside} ", HINT)], width - room)])
        hint = "  enter: go on, esc: leave it "
        entered = [(f" {self._label} ", ASKED), (f" {self.typed}▏", TYPED)]
        return Strip.join([line(entered, width - len(hint), TYPED), line([(hint, HINT)], len(hint))])


class Entry(ModalScreen[str], inherit_bindings=False):
    """What was typed; empty when it was left. At the bottom, or `at` the row it is typed for."""

    def __init__(self, night: Night, label: str, *, beside: str = "", at: Region | None = None) -> None:
        super().__init__()
        self._line = EntryLine(night, label, beside if at else "")
        self._at = at

    def compose(self) -> ComposeResult:
        """The one line."""
        yield self._line

    def on_mount(self) -> None:
        """Over the row."""
        if self._at:
            self._line.add_class("-at")
            self._line.styles.offset = self._at.x, self._at.y
            self._line.styles.width = self._at.width

    def on_key(self, event: events.Key) -> None:
        """Letters are kept; enter and escape end it."""
        event.stop()
        event.prevent_default()
        if event.key == "enter":
            self.dismiss(self._line.typed)
        elif event.key == "escape":
            self.dismiss("")
        else:
            self._line.typed = edited(self._line.typed, event)
            self._line.redraw()


def edited(text: str, event: events.Key, longest: int = LONGEST) -> str:
    """The text after a key."""
    if event.key in ("backspace", "ctrl+h"):
        return text[:-1]
    if event.key == "ctrl+u":
        return ""
    return (text + event.character)[:longest] if event.is_printable and event.character else text
