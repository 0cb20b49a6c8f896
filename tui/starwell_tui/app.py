"""The app: hears the night, answers the keys, and colours the whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime
from pathlib import Path

from textual import events, work
from textual.app import App
from textual.filter import LineFilter

from starwell.errors import EngineError, PlanError, StarwellError
from starwell.remote.messages import AnyCommand, Quit, Reject, Reply, Restore, Stretch
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell_tui import orders
from starwell_tui.desk import Desk
from starwell_tui.keys import Key, table
from starwell_tui.messages import Happened, Link
from starwell_tui.night import Night, Standing
from starwell_tui.panes.preview import SIXEL, Preview
from starwell_tui.screens.ask import Entry, Question
from starwell_tui.screens.help import Help
from starwell_tui.screens.over import opened
from starwell_tui.screens.palette import Palette
from starwell_tui.screens.panes import Panes
from starwell_tui.theme import DARK, Colourless, NightRed

STRETCHES = ("auto", "asinh", "linear")
DIMMED = 0.5
"""The second level of night red."""
ASKED_EVERY_S = 1.0
"""How often the engine is asked how the night stands."""
SAID_FOR_S = 8.0


def local_time() -> datetime:
    """Now, where the telescope is."""
    return datetime.now().astimezone()


class StarwellApp(App[int], inherit_bindings=False):
    """One night, one screen of panes. `farewell`: what to print once the screen is gone."""

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
        clock: Callable[[], datetime] = local_time,
    ) -> None:
        super().__init__()
        self.link = link
        self.failure: StarwellError | None = None
        self.farewell = ""
        self.keys = keys or table(engine=False)
        for key in self.keys:
            for names, action in key.bindings.items():
                self.bind(names, action, description=key.word, show=False)
        self._colourless = Colourless() if depth is ColourDepth.MONO else None
        self._stretches = deque(STRETCHES)
        self._dots = deque([*Mode, SIXEL] if sixels or dots == SIXEL else Mode)
        self._dots.rotate(-self._dots.index(dots))
        self._reds = deque(
            [None, *(NightRed(level, cube=depth is not ColourDepth.TRUE) for level in (1, DIMMED))]
        )
        if red:
            self._reds.rotate(-1)
        self._capitals = 0
        night = Night(planned=planned)
        preview = Preview(night, depth, dots, self._stretches[0], reds=self._brightness)
        self.panes = Panes(night, preview, self.keys, clock)
        self.desk = Desk(night, self.ask, self.say, self.keys, clock)

    @property
    def night(self) -> Night:
        """What is known."""
        return self.panes.night

    @property
    def red(self) -> bool:
        """Whether the screen is red."""
        return self._reds[0] is not None

    @property
    def _brightness(self) -> float | None:
        return self._reds[0].brightness if self._reds[0] else None

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
        self._listen()
        self.set_interval(ASKED_EVERY_S, self._look)

    async def on_event(self, event: events.Event) -> None:
        """Two capitals in a row are Caps Lock, mostly; any key ends what was said."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self.panes.footer.say("", good=True)
            capital = bool(event.character and event.character.isupper())
            self._capitals = self._capitals + 1 if capital else 0
            if self._capitals >= 2:
                self.say(Reply(False, "CAPS? Two capitals in a row: look at Caps Lock."))
        await super().on_event(event)

    def say(self, reply: Reply) -> None:
        """A sentence where the keys are, for a while."""
        footer = self.panes.footer
        footer.say(reply.message, good=reply.ok)
        self.set_timer(SAID_FOR_S, lambda: footer.say("", good=True), name="said")

    @work(exclusive=True, group="orders")
    async def action_order(self, name: str) -> None:
        """A command to the engine, once it is confirmed."""
        await self._give(orders.ORDERS[name])

    @work(exclusive=True, group="orders")
    async def action_edit(self, word: str) -> None:
        """Another value for a setting."""
        setting = orders.setting_of(word, self.panes.camera.chosen)
        text = await self.push_screen_wait(Entry(self.night, orders.label_of(setting, self.night)))
        if not text:
            return
        try:
            order = orders.change(setting, text, self.night)
        except PlanError as error:
            self.say(Reply(False, str(error)))
            return
        await self._give(order) if order else self.say(Reply(True, f"{setting.label} stays as it is."))

    async def _give(self, order: orders.Order) -> None:
        if order.question and not await self.push_screen_wait(Question(self.night, order.question)):
            self.say(Reply(True, "Nothing was changed."))
            return
        reply = await self.ask(order.command)
        if reply.ok and isinstance(order.command, Quit):
            self.farewell = reply.message
            self.exit(0)

    async def ask(self, command: AnyCommand) -> Reply:
        """Give a command, and say the reply."""
        try:
            reply = await self.link.ask(command)
        except EngineError as error:
            reply = Reply(False, str(error))
        if reply.message:
            self.say(reply)
        return reply

    async def action_reject(self) -> None:
        """Take the chosen sub out."""
        sub = self.panes.frames.chosen
        if sub and sub.standing is not Standing.REJECTED:
            await self.ask(Reject(sub.number))

    async def action_restore(self) -> None:
        """Put the chosen sub back."""
        sub = self.panes.frames.chosen
        if sub and sub.standing is Standing.REJECTED:
            await self.ask(Restore(sub.number))

    async def action_stretch(self) -> None:
        """The next stretch."""
        self._stretches.rotate(-1)
        self.panes.preview.stretched(self._stretches[0])
        await self.ask(Stretch(self._stretches[0]))

    def action_dots(self) -> None:
        """The next way to draw."""
        self._dots.rotate(-1)
        self.panes.preview.draw_in(self._dots[0])
        self.say(Reply(True, f"The picture is drawn in {self._dots[0]} now."))

    def action_acknowledge(self) -> None:
        """The alert was read."""
        self.night.acknowledge()
        self.panes.redraw()

    def action_night_red(self) -> None:
        """Red, dimmer, off."""
        self._reds.rotate(-1)
        self.panes.preview.redden(self._brightness)
        self.action_redraw()

    def action_redraw(self) -> None:
        """Send every cell again."""
        self.refresh_css(animate=False)
        self.panes.refresh(layout=True)

    def action_open(self, name: str) -> None:
        """A screen over the panes."""
        self.push_screen(opened(name, self.desk))

    def action_help(self) -> None:
        """The keys of the chosen pane, explained, and all others."""
        self.push_screen(Help(self.night, self.keys, self.panes.chosen))

    @work(exclusive=True, group="palette")
    async def action_palette(self) -> None:
        """A key by its name."""
        action = await self.push_screen_wait(Palette(self.night, self.keys))
        if action:
            await self.run_action(action)

    def action_leave(self) -> None:
        """End the screen; whether the night ends with it is the link's affair."""
        self.exit(0)

    @work(exclusive=True, group="night")
    async def _listen(self) -> None:
        """Everything that is told becomes a message."""
        try:
            async with aclosing(self.link.events()) as items:
                async for item in items:
                    self.panes.post_message(Happened(item))
        except StarwellError as error:
            self.failure = error
            self.exit(1)

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        """How the night stands, for what no event tells."""
        with suppress(EngineError):
            self.panes.stands(await self.link.status())
