"""The app: hears the engine, answers the keys, and colours the whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import BindingType
from textual.filter import LineFilter

from starwell.errors import StarwellError
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell_tui.keys import bindings
from starwell_tui.messages import Engine, Failed, Happened
from starwell_tui.night import Night, Standing
from starwell_tui.panes.preview import Preview
from starwell_tui.screens.help import Help
from starwell_tui.screens.panes import Panes
from starwell_tui.theme import DARK, Colourless, NightRed

STRETCHES = ("auto", "asinh", "linear")
DIMMED = 0.5
"""The second level of night red."""


def local_time() -> datetime:
    """Now, where the telescope is."""
    return datetime.now().astimezone()


class StarwellApp(App[int], inherit_bindings=False):
    """One engine, one night, one screen of panes."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings()]
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self,
        engine: Engine,
        *,
        planned: int | None = None,
        depth: ColourDepth = ColourDepth.INDEXED,
        mode: Mode = Mode.QUAD,
        red: bool = False,
        clock: Callable[[], datetime] = local_time,
    ) -> None:
        super().__init__()
        self.engine = engine
        self.failure: StarwellError | None = None
        self._colourless = Colourless() if depth is ColourDepth.MONO else None
        self._stretches = deque(STRETCHES)
        self._reds = deque(
            [None, *(NightRed(level, cube=depth is not ColourDepth.TRUE) for level in (1, DIMMED))]
        )
        if red:
            self._reds.rotate(-1)
        night = Night(planned=planned)
        preview = Preview(night, depth, mode, self._stretches[0], red=red)
        self.panes = Panes(night, preview, clock)

    def get_default_screen(self) -> Panes:
        """The panes."""
        return self.panes

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Night red, or no colours, comes last: nothing may add a colour after it."""
        last = self._colourless or self._reds[0]
        return [*super().get_line_filters(), *([last] if last else [])]

    def on_mount(self) -> None:
        """Begin to listen."""
        self.register_theme(DARK)
        self.theme = DARK.name
        self.run_worker(self._listen, thread=True)

    def on_unmount(self) -> None:
        """However the screen ends, the thread that listens must not wait for ever."""
        self.engine.stop()

    def on_failed(self, message: Failed) -> None:
        """Leave; the caller says why."""
        self.failure = message.error
        self.exit(1)

    def action_reject(self) -> None:
        """Take the chosen sub out."""
        sub = self.panes.frames.chosen
        if sub and sub.standing is not Standing.REJECTED:
            self.engine.reject(sub.number)

    def action_restore(self) -> None:
        """Put the chosen sub back."""
        sub = self.panes.frames.chosen
        if sub and sub.standing is Standing.REJECTED:
            self.engine.restore(sub.number)

    def action_choose(self, steps: int) -> None:
        """Move the cursor of the frames."""
        self.panes.frames.choose(steps)

    def action_stretch(self) -> None:
        """The next stretch."""
        self._stretches.rotate(-1)
        self.panes.preview.stretched(self._stretches[0])
        self.engine.set_stretch(self._stretches[0])

    def action_pane(self, name: str) -> None:
        """Choose a pane, or fill the screen with it."""
        self.panes.choose(name)

    def action_next_pane(self, steps: int) -> None:
        """Choose another pane."""
        self.panes.choose_next(steps)

    def action_all_panes(self) -> None:
        """All panes again."""
        self.panes.show_all()

    def action_acknowledge(self) -> None:
        """The alert was read."""
        self.panes.night.acknowledge()
        self.panes.redraw()

    def action_night_red(self) -> None:
        """Red, dimmer, off."""
        self._reds.rotate(-1)
        self.panes.preview.redden(self._reds[0] is not None)
        self.action_redraw()

    def action_redraw(self) -> None:
        """Send every cell again."""
        self.refresh_css(animate=False)
        self.panes.refresh(layout=True)

    def action_help(self) -> None:
        """The key table, explained."""
        self.push_screen(Help(self.panes.night))

    def action_leave(self) -> None:
        """End the screen, and with it the night."""
        self.exit(0)

    def _listen(self) -> None:
        """In a thread of its own: every event becomes a message."""
        try:
            for event in self.engine.events():
                self.panes.post_message(Happened(event))
        except StarwellError as error:
            self.post_message(Failed(error))
