"""The app: hears the night, answers the keys, and colours the whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from rich.terminal_theme import TerminalTheme
from textual import events, work
from textual.app import App
from textual.filter import LineFilter

from starwell.errors import EngineError, StarwellError
from starwell.remote.messages import AnyCommand, Look, Quit, Reply
from starwell.session.events import StateChanged
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell_tui.desk import Desk, local_time
from starwell_tui.keys import Key, table
from starwell_tui.looks import THEMES, Looks
from starwell_tui.messages import Happened, Link
from starwell_tui.night import Night
from starwell_tui.orders import Order
from starwell_tui.pace import Pace, PacedDriver
from starwell_tui.panes.preview import Preview
from starwell_tui.screens.ask import Question
from starwell_tui.screens.over import opened
from starwell_tui.screens.panes import Panes
from starwell_tui.terminal import Memory
from starwell_tui.theme import DARK
from starwell_tui.view import View

ASKED_EVERY_S = 1.0
"""How often the engine is asked how the night stands."""
SAID_FOR_S = 8.0


class StarwellApp(App[int], inherit_bindings=False):
    """One night, one screen of panes. `farewell`: what to print once the screen is gone.

    theme: one of THEMES; memory: what the last screen left behind, and keep takes for the next.
    """

    CSS_PATH = Path(__file__).with_name("app.tcss")
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(
        self,
        link: Link,
        *,
        keys: tuple[Key, ...] | None = None,
        planned: int | None = None,
        depth: ColourDepth = ColourDepth.INDEXED,
        dots: str = Mode.QUAD,
        sixels: bool = False,
        red: bool = False,
        theme: str = THEMES[0],
        memory: Memory | None = None,
        keep: Callable[[Memory], object] = bool,
        pace: Pace | None = None,
        clock: Callable[[], datetime] = local_time,
    ) -> None:
        super().__init__(driver_class=PacedDriver)
        self.link = link
        self.failure: StarwellError | None = None
        self.farewell = ""
        self.pace = pace or Pace()
        self.looks = Looks(depth, theme=theme, red=red)
        self._keep = keep
        keys = keys or table(engine=False)
        for key in keys:
            for names, action in key.bindings.items():
                self.bind(names, action, description=key.word, show=False)
        self._capitals = 0
        night, view = Night(planned=planned), View(dots=dots, goals=dict(memory.goals) if memory else {})
        preview = Preview(night, view, depth, self.looks, self.pace, sixels=sixels)
        asks = partial(self.put, quietly=False), self.put, self.give, self.say
        self.desk = Desk(night, view, *asks, self.remember, lambda: self.panes.redraw(), keys, clock)
        self.panes = Panes(self.desk, preview)

    @property
    def night(self) -> Night:
        """What is known."""
        return self.desk.night

    @property
    def red(self) -> bool:
        """Whether the screen is red."""
        return self.looks.red

    @property
    def ansi_theme(self) -> TerminalTheme:
        """Dark, as all themes here; Textual would look it up for every line that is drawn."""
        return self.ansi_theme_dark

    def get_default_screen(self) -> Panes:
        """The panes."""
        return self.panes

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Night red, or no colours, comes last: nothing may add a colour after it."""
        return [*super().get_line_filters(), *self.looks.filters()]

    def on_mount(self) -> None:
        """Begin to listen."""
        self.register_theme(DARK)
        self.theme = DARK.name
        self._listen()
        self.set_interval(ASKED_EVERY_S, self._look)

    async def on_event(self, event: events.Event) -> None:
        """Two capitals in a row are Caps Lock, mostly; any key ends what was said."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.panes.footer.say("", good=True)
            capital = bool(event.character and event.character.isupper())
            self._capitals = self._capitals + 1 if capital else 0
            if self._capitals >= 2 and self.screen is self.panes:
                self.say(Reply(False, "CAPS? Two capitals in a row: look at Caps Lock."))
        await super().on_event(event)

    def say(self, reply: Reply) -> None:
        """A sentence where the keys are, for a while."""
        footer = self.panes.footer
        footer.say(reply.message, good=reply.ok)
        self.set_timer(SAID_FOR_S, lambda: footer.say("", good=True), name="said")

    async def give(self, order: Order) -> bool:
        """A command, once it is confirmed where it wants that."""
        if order.question and not await self.push_screen_wait(Question(self.night, order.question)):
            self.say(Reply(True, "Nothing was changed."))
            return False
        reply = await self.desk.ask(order.command)
        if reply.ok and isinstance(order.command, Quit):
            self.farewell = reply.message
            self.exit(0)
        return reply.ok

    async def put(self, command: AnyCommand, *, quietly: bool = True) -> Reply:
        """Give a command; where it is done quietly only a refusal is said."""
        try:
            reply = await self.link.ask(command)
        except EngineError as error:
            reply = Reply(False, str(error))
        if reply.message and not (quietly and reply.ok):
            self.say(reply)
        return reply

    def remember(self) -> None:
        """For the next screen."""
        self._keep(Memory(self.looks.red, self.looks.below, self.desk.view.goals))

    def action_acknowledge(self) -> None:
        """The alert was read."""
        self.night.acknowledge()
        self.panes.redraw()

    def action_night_red(self) -> None:
        """Red, dimmer, off."""
        self.looks.redder()
        self.action_redraw()
        self.remember()

    def action_theme(self) -> None:
        """The next theme."""
        self.looks.next_theme()
        self.action_redraw()
        self.remember()
        self.say(Reply(True, f"The theme is {self.looks.theme} now."))

    def action_redraw(self) -> None:
        """Send every cell again."""
        self.panes.redraw()
        self.refresh_css(animate=False)
        for screen in self.screen_stack:
            screen.refresh(layout=True)

    def action_open(self, name: str) -> None:
        """A screen over the panes."""
        self.push_screen(opened(name, self.desk))

    async def action_leave(self) -> None:
        """End the screen; whether the night ends with it is the link's affair."""
        if self.desk.view.given != Look():
            await self.put(Look())
        self.exit(0)

    @work(exclusive=True, group="night")
    async def _listen(self) -> None:
        """Everything that is told becomes a message."""
        try:
            async with aclosing(self.link.events()) as items:
                async for item in items:
                    self.panes.post_message(Happened(item))
                    if isinstance(item, StateChanged):
                        self._look()
        except StarwellError as error:
            self.failure = error
            self.exit(1)

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        """How the night stands, for what no event tells."""
        with suppress(EngineError):
            self.panes.stands(await self.link.status())
