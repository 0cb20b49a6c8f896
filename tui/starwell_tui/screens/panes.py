"""The one screen of the night: where the panes are, and which of them is chosen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Container
from textual.screen import Screen

from starwell.remote.live import Connected, Lost
from starwell.remote.messages import Status
from starwell_tui.keys import Key
from starwell_tui.messages import Happened
from starwell_tui.night import Night
from starwell_tui.panes.camera import Camera
from starwell_tui.panes.frames import Frames
from starwell_tui.panes.histogram import Histogram
from starwell_tui.panes.noise import Noise
from starwell_tui.panes.pane import Pane
from starwell_tui.panes.preview import Preview
from starwell_tui.panes.status import Alert, Footer, NoiseBar, StatusLine, TooSmall
from starwell_tui.screens.over import Over

COLUMNS = [(0, "-w0"), (40, "-w40"), (60, "-w60"), (100, "-w100")]
ROWS = [(0, "-h0"), (10, "-h10"), (18, "-h18"), (32, "-h32")]


# Textual's own keys of a screen (tab, escape, ctrl+c) would win over the key table.
class Panes(Screen[None], inherit_bindings=False):
    """Status, alert, five panes, footer; and what is shown where there is no room for them."""

    HORIZONTAL_BREAKPOINTS = COLUMNS
    VERTICAL_BREAKPOINTS = ROWS

    def __init__(
        self, night: Night, preview: Preview, keys: tuple[Key, ...], clock: Callable[[], datetime]
    ) -> None:
        super().__init__()
        self.night = night
        self.camera, self.frames, self.preview = Camera(night), Frames(night), preview
        self.noise, self.histogram = Noise(night), Histogram(night)
        self.status, self.alert, self.footer = StatusLine(night, clock), Alert(night), Footer(night, keys)
        self._bar = NoiseBar(night)
        self._numbered: tuple[Pane, ...] = (
            self.camera,
            self.frames,
            self.preview,
            self.noise,
            self.histogram,
        )

    def compose(self) -> ComposeResult:
        """Top to bottom, left to right."""
        yield self.status
        yield self.alert
        with Container(id="panes"):
            with Container(id="left"):
                yield self.camera
                yield self.frames
            with Container(id="right"):
                yield self.preview
                with Container(id="below"):
                    yield self.noise
                    yield self.histogram
        yield self._bar
        yield self.footer
        yield TooSmall(self.night)

    def on_mount(self) -> None:
        """The frames come first: their keys are used most."""
        self._choose(self.frames)

    @property
    def chosen(self) -> Pane:
        """The pane that the keys are for."""
        return next(pane for pane in self._numbered if pane.has_class("-chosen"))

    def on_happened(self, message: Happened) -> None:
        """Onto the panes that show it."""
        match message.item:
            case Connected() as connected:
                self.night.begin(connected)
            case Lost(why):
                self.night.gone = why
            case event:
                self.night.see(event)
        self.redraw()

    def stands(self, status: Status | None) -> None:
        """The engine was asked."""
        if status is not None:
            self.night.status = status
            self.redraw()

    def redraw(self) -> None:
        """The night has changed."""
        self.alert.set_class(bool(self.night.alert or self.night.gone), "-shown")
        for pane in (self.status, self.alert, self._bar, *self._numbered):
            pane.told()
        for screen in self.app.screen_stack:
            if isinstance(screen, Over):
                screen.told()

    def action_move(self, across: int, down: int) -> None:
        """Choose another sub or setting, or pan the picture."""
        match self.chosen:
            case Preview() as preview:
                preview.look_from(preview.viewpoint.panned(across, down))
            case Camera() as camera:
                camera.choose(down)
            case _:
                self.frames.choose(down)

    def action_zoom(self, how: str) -> None:
        """Nearer, further, all of it, or dot by dot."""
        self.preview.zoom(how)

    def action_level(self, end: str, steps: int) -> None:
        """Move the picture's black or white point."""
        self.preview.look_from(self.preview.viewpoint.levelled(end, steps))

    def action_view(self) -> None:
        """Another picture, and its histogram."""
        self.histogram.show(self.preview.next_view())

    def action_pane(self, name: str) -> None:
        """Choose a pane; when it is chosen already, fill the screen with it, or go back."""
        pane = next(pane for pane in self._numbered if pane.id == name)
        if pane is self.chosen:
            self.toggle_class("-alone")
        self._choose(pane)

    def action_next_pane(self, steps: int) -> None:
        """Choose another pane."""
        self._choose(self._numbered[(self._numbered.index(self.chosen) + steps) % len(self._numbered)])

    def action_all_panes(self) -> None:
        """All panes again."""
        self.remove_class("-alone")

    def _choose(self, chosen: Pane) -> None:
        for pane in self._numbered:
            pane.set_class(pane is chosen, "-chosen")
            self.set_class(pane is chosen, f"-on-{pane.id}")
            pane.redraw()
        self.footer.of_pane(chosen.id or "")
