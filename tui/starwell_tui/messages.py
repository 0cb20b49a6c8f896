"""What comes up from the engine, and what goes down to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from textual.message import Message

from starwell.errors import StarwellError
from starwell.session.events import Event, PreviewReady


class Commands(Protocol):
    """What a screen may ask of an engine; every call returns at once and is answered by events."""

    def reject(self, number: int) -> None:
        """Take sub `number` out of the stack."""

    def restore(self, number: int) -> None:
        """Put sub `number` back into the stack."""

    def set_stretch(self, name: str) -> None:
        """Stretch the previews by `name` from now on: auto, asinh or linear."""

    def stop(self) -> None:
        """End the night; `events` runs out soon after."""


class Engine(Commands, Protocol):
    """A night that tells what happens."""

    def events(self) -> Iterator[Event]:
        """Blocks until the next event; ends after `stop`. Read by one thread of the screen."""


class Happened(Message):
    """An event of the engine."""

    def __init__(self, event: Event) -> None:
        self.event = event
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """A newer preview of the same picture replaces one still queued; nothing else is ever dropped."""
        mine, other = self.event, message.event if isinstance(message, Happened) else None
        return isinstance(mine, PreviewReady) and isinstance(other, PreviewReady) and mine.of == other.of


class Failed(Message):
    """The engine ended with an error."""

    def __init__(self, error: StarwellError) -> None:
        self.error = error
        super().__init__()
