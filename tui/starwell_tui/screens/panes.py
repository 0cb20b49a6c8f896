"""The one screen of the night: where the panes are, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from starwell.session.events import PreviewReady
from starwell_tui.messages import Happened
from starwell_tui.night import Night
from starwell_tui.panes.frames import Frames
from starwell_tui.panes.noise import Noise
from starwell_tui.panes.pane import Pane
from starwell_tui.panes.preview import Preview
from starwell_tui.panes.status import Alert, Footer, Status, TooSmall

COLUMNS = [(0, "-w0"), (40, "-w40"), (60, "-w60"), (100, "-w100")]
ROWS = [(0, "-h0"), (10, "-h10"), (18, "-h18"), (32, "-h32")]


# Textual's own keys of a screen (tab, escape, ctrl+c) would win over the key table.
class Panes(Screen[None], inherit_bindings=False):
    """Status, alert, three panes, footer; and what is shown where there is no room for them."""

    HORIZONTAL_BREAKPOINTS = COLUMNS
    VERTICAL_BREAKPOINTS = ROWS

    def __init__(self, night: Night, preview: Preview, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.night = night
        self.frames, self.preview, self.noise = Frames(night), preview, Noise(night)
        self.status, self.alert = Status(night, clock), Alert(night)
        self._numbered: tuple[Pane, ...] = (self.frames, self.preview, self.noise)
        self._chosen = 0

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self.status
        yield self.alert
        with Container(id="panes"):
            yield from self._numbered
        yield Footer(self.night)
        yield TooSmall(self.night)

    def on_mount(self) -> None:
        """The frames come first: their keys are used most."""
        self._choose(0)

    def on_happened(self, message: Happened) -> None:
        """One event: onto the panes that show it."""
        if isinstance(message.event, PreviewReady):
            self.preview.show(message.event)
        else:
            self.night.see(message.event)
            self.redraw()

    def redraw(self) -> None:
        """The night has changed."""
        self.alert.set_class(bool(self.night.alert), "-shown")
        for pane in (self.status, self.alert, self.frames, self.noise):
            pane.redraw()

    def choose(self, name: str) -> None:
        """Choose a pane; when it is chosen already, fill the screen with it, or go back."""
        number = [pane.id for pane in self._numbered].index(name)
        if number == self._chosen:
            self.toggle_class("-alone")
        self._choose(number)

    def choose_next(self, steps: int) -> None:
        """Choose another pane."""
        self._choose((self._chosen + steps) % len(self._numbered))

    def show_all(self) -> None:
        """All panes again."""
        self.remove_class("-alone")

    def _choose(self, number: int) -> None:
        self._chosen = number
        for pane in self._numbered:
            pane.set_class(pane is self._numbered[number], "-chosen")
