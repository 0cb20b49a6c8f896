"""The demo's night as a screen hears it: in this process, read by a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import Protocol, cast

from starwell.errors import StarwellError
from starwell.remote.messages import AnyCommand, AnyEvent, Event, Reject, Reply, Restore, Status, Stretch
from starwell_tui.messages import Item


class Engine(Protocol):
    """A night that blocks whoever reads it; its commands return at once and are answered by events."""

    def events(self) -> Iterator[Event]:
        """Blocks until the next event; ends after `stop`."""

    def reject(self, number: int) -> None:
        """Take sub `number` out of the stack."""

    def restore(self, number: int) -> None:
        """Put sub `number` back into the stack."""

    def set_stretch(self, name: str, black: float, white: float) -> None:
        """Stretch the previews by `name` from now on, the black and white point moved."""

    def stop(self) -> None:
        """End the night; `events` runs out soon after."""


class Nearby:
    """A night that ends with the screen."""

    def __init__(self, night: Engine) -> None:
        self.night = night
        self._thread: threading.Thread | None = None

    async def events(self) -> AsyncGenerator[Item]:
        """Every event of the night; raises what ended it."""
        told: asyncio.Queue[Event | StarwellError | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(item: Event | StarwellError | None) -> None:
            # A screen that has gone hears nothing more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(told.put_nowait, item)

        def listen() -> None:
            try:
                for event in self.night.events():
                    put(event)
                put(None)
            except StarwellError as error:
                put(error)

        self._thread = threading.Thread(target=listen, name="night", daemon=True)
        self._thread.start()
        try:
            while (item := await told.get()) is not None:
                if isinstance(item, StarwellError):
                    raise item
                yield cast("AnyEvent", item)
        finally:
            self.night.stop()

    async def ask(self, command: AnyCommand) -> Reply:
        """Subs and stretch; a demo has no camera to command."""
        match command:
            case Reject(number):
                self.night.reject(number)
            case Restore(number):
                self.night.restore(number)
            case Stretch(name, black, white):
                self.night.set_stretch(name, black, white)
            case _:
                return Reply(False, "The demo goes its own way: only subs and pictures can be changed.")
        return Reply(True, "")

    async def status(self) -> Status | None:
        """The events say it all."""
        return None

    def close(self, patience_s: float = 10.0) -> None:
        """End the night, and wait until nothing writes its files any more."""
        self.night.stop()
        if self._thread is not None:
            self._thread.join(patience_s)
