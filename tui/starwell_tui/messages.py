"""What comes up from a night, and what goes down to it: the same for an engine and for the demo."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from textual.message import Message

from starwell.remote.live import Connected, Lost
from starwell.remote.messages import AnyCommand, AnyEvent, Reply, Status
from starwell.session.events import HistogramReady, PreviewReady

Item = Connected | Lost | AnyEvent
"""An event, or that an engine answers, or that it does not."""


class Link(Protocol):
    """A night that tells what happens and takes commands; `starwell.remote.live.LiveClient` is one."""

    def events(self) -> AsyncGenerator[Item]:
        """Everything that happens; read by one worker of the screen. Raises what ends the night."""

    async def ask(self, command: AnyCommand) -> Reply:
        """The reply to a command; EngineError when there is none."""

    async def status(self) -> Status | None:
        """How the night stands, where that can be said; EngineError when there is no answer."""


class Happened(Message):
    """Something a night told."""

    def __init__(self, item: Item) -> None:
        self.item = item
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """A newer picture or histogram replaces one of the same still queued; nothing else is dropped."""
        mine, other = self.item, message.item if isinstance(message, Happened) else None
        if isinstance(mine, PreviewReady) and isinstance(other, PreviewReady):
            return (mine.of, mine.crop is None) == (other.of, other.crop is None)
        return isinstance(mine, HistogramReady) and isinstance(other, HistogramReady) and mine.of == other.of
