"""What wizards and lists are: a sheet over the panes with the status line, a body and its own keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.strip import Strip
from textual.widget import Widget

from starwell.remote.messages import AnyCommand, Reply
from starwell.session.events import State
from starwell_tui.desk import Desk
from starwell_tui.night import Night
from starwell_tui.panes.pane import LABEL, PLAIN, OneLine, Pane, Piece, line, wrapped
from starwell_tui.panes.status import Alert, StatusLine
from starwell_tui.screens.ask import Question
from starwell_tui.screens.over import Over
from starwell_tui.theme import ACCENT, BAD, GOOD, GROUND, INK, PANEL, style

T = TypeVar("T")

HINTED, WRONG, DONE = style(ACCENT), style(BAD, bold=True), style(GOOD)
AT_WORK = (State.EXPOSING, State.COOLING, State.PAUSED, State.STOPPING)
SAID_FOR_S = 12.0
Keys = tuple[tuple[str, str], ...]
"""What is pressed, and for what."""


class SheetFooter(OneLine):
    """The sheet's keys, or for a while what was replied; the last key always fits."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="footer")
        self._keys: Keys = ()
        self._notice: Piece | None = None

    def offer(self, keys: Keys) -> None:
        """Other keys."""
        if keys != self._keys:
            self._keys = keys
            self.redraw()

    def say(self, reply: Reply | None) -> None:
        """A sentence in place of the keys; None brings them back."""
        look = style(GROUND, GOOD if reply and reply.ok else ACCENT)
        self._notice = (f" {reply.message}", look) if reply and reply.message else None
        self.redraw()

    def only(self, width: int) -> Strip:
        """The line."""
        if self._notice is not None:
            return line([self._notice], width, self._notice[1])
        keys, room = list(self._keys), width
        while len(keys) > 1 and sum(len(k) + len(w) + 3 for k, w in keys) > room:
            del keys[-2]
        pieces: list[Piece] = []
        for shown, word in keys:
            pieces += [(f" {shown}", style(ACCENT, PANEL, bold=True)), (f" {word} ", style(INK, PANEL))]
        return line(pieces, width, style(INK, PANEL))


class Text(Pane):
    """Paragraphs: each a look and a text, wrapped; an empty one is a blank line."""

    def __init__(self, night: Night, *, id: str, classes: str = "pane") -> None:  # noqa: A002, Textual's name
        super().__init__(night, id=id, classes=classes)
        self._paragraphs: tuple[tuple[str, Style], ...] = ()

    def write(self, *paragraphs: str | tuple[str, Style]) -> None:
        """Other paragraphs; drawn only where they differ."""
        fresh = tuple(p if isinstance(p, tuple) else (p, PLAIN) for p in paragraphs)
        if fresh != self._paragraphs:
            self._paragraphs = fresh
            self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """As many lines as fit."""
        rows = [
            line([(f" {text}", look)], width)
            for paragraph, look in self._paragraphs
            for text in wrapped(paragraph, width - 2)
        ]
        return rows[:height]


class Sheet(Over[T]):
    """Over the panes, with the night's state above and the sheet's keys below; esc leaves it."""

    DEFAULT_CSS = """
    Sheet { background: #121212; layout: vertical; }
    Sheet .pane { width: 1fr; height: 1fr; }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.status, self.alert = StatusLine(desk.night, desk.clock), Alert(desk.night)
        self.footer = SheetFooter(desk.night)

    @property
    def night(self) -> Night:
        """What is known."""
        return self.desk.night

    @property
    def at_work(self) -> bool:
        """Whether the engine carries out a plan."""
        status = self.night.status
        return status is not None and not self.night.gone and status.state in AT_WORK

    def body(self) -> Iterable[Widget]:
        """What is between the status line and the keys."""
        raise NotImplementedError

    def offered(self) -> Keys:
        """The keys of the moment; the last one is always shown."""
        return (("esc", "Back"),)

    def pressed(self, event: events.Key) -> bool:  # noqa: ARG002, a sheet may have no keys
        """Take a key; whether it means something here."""
        return False

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self.status
        yield self.alert
        yield from self.body()
        yield self.footer

    def on_mount(self) -> None:
        """Say what can be done."""
        self.told()

    def told(self) -> None:
        """The night has changed."""
        self.alert.set_class(bool(self.night.alert or self.night.gone), "-shown")
        self.footer.offer(self.offered())
        super().told()

    async def on_key(self, event: events.Key) -> None:
        """The sheet's own keys, then those of all sheets; none goes further."""
        event.stop()
        event.prevent_default()
        self.footer.say(None)
        if not self.pressed(event):
            await self._common(event.key)
        self.told()

    async def _common(self, key: str) -> None:
        match key:
            case "escape" | "ctrl+c":
                self.leave()
            case "r":
                await self.run_action("app.night_red")
            case "a":
                self.night.acknowledge()
            case "ctrl+r":
                self.refresh(layout=True)

    def leave(self) -> None:
        """Back to the panes."""
        self.dismiss()

    def say(self, text: str, *, good: bool = True) -> None:
        """A sentence where the keys are, until the next key."""
        self._told(Reply(good, text))

    async def ask(self, command: AnyCommand) -> Reply:
        """Give a command, and say the reply here too."""
        reply = await self.desk.ask(command)
        if self.is_mounted:
            self._told(reply)
        return reply

    def _told(self, reply: Reply) -> None:
        self.footer.say(reply)
        self.set_timer(SAID_FOR_S, lambda: self.footer.say(None), name="said")

    async def sure(self, question: str) -> bool:
        """Whether y was the answer; from a worker."""
        return await self.app.push_screen_wait(Question(self.night, question))


def heading(text: str) -> tuple[str, Style]:
    """A paragraph that stands out."""
    return text, style(ACCENT, bold=True)


def faint(text: str) -> tuple[str, Style]:
    """A paragraph that does not."""
    return text, LABEL
