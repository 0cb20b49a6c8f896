"""Following the engine from an asyncio program, through its restarts: what a screen does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count

from starwell.errors import EngineError, EngineRefused, Garbled, NoEngine
from starwell.remote.client import ANSWER_WITHIN_S, greeted, parted
from starwell.remote.messages import (
    TO_CLIENT_BYTES,
    Answer,
    AnyCommand,
    AnyEvent,
    Farewell,
    FromEngine,
    Greeting,
    Hello,
    Piece,
    Pieces,
    Reply,
    Report,
    Request,
    Snapshot,
    Status,
    from_engine,
    packed,
)
from starwell.remote.place import Place
from starwell.remote.streams import BUFFER_BYTES, Gone, hang_up, receive, send

RETRY_S = 0.5
_CONNECT_WITHIN_S = 0.2

_AHEAD = 16
"""Items read before they are asked for: answers get through to a screen that is busy with an event."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The engine answers. `recent`: what it told before, oldest first; the last pictures come as events.

    A screen forgets what it knew and begins with this: no event is missing between `recent` and the next one.
    """

    hello: Hello
    status: Status
    recent: tuple[AnyEvent, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """The engine does not answer (any more), and why; it is looked for until it does."""

    why: str


_Item = Connected | Lost | AnyEvent


class LiveClient:
    """The running engine, whichever it is. While `events` is read, `ask` commands it.

    `async with aclosing(client.events()) as events: async for item in events: …`
    """

    def __init__(self, place: Place | None = None, *, retry_s: float = RETRY_S) -> None:
        self._place = place or Place()
        self._retry_s = retry_s
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._numbers = count(1)

    async def events(self) -> AsyncGenerator[Connected | Lost | AnyEvent]:
        """Connected, then every event; Lost once whenever the engine does not answer; without end.

        Raises EngineRefused where trying again does not help: another version, another user.
        """
        items: asyncio.Queue[_Item | Exception] = asyncio.Queue(_AHEAD)
        following = asyncio.create_task(self._follow(items.put))
        try:
            while True:
                item = await items.get()
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def _follow(self, put: Callable[[_Item | Exception], Awaitable[None]]) -> None:
        lost = False
        while True:
            try:
                async with self._connection() as (reader, connected):
                    lost, pieces = False, Pieces()
                    await put(connected)
                    while True:
                        if (event := self._settled(pieces.whole(await _message(reader)))) is not None:
                            await put(event)
            except EngineRefused as error:
                return await put(error)
            except EngineError as error:
                if not lost:
                    await put(Lost(str(error)))
                lost = True
            except Exception as error:  # noqa: BLE001 (raised again where the events are read)
                return await put(error)
            await asyncio.sleep(self._retry_s)

    def _settled(self, message: FromEngine | None) -> AnyEvent | None:
        """The event that a message is, or None for an answer, which goes to whoever asked."""
        match message:
            case Answer():
                waiting = self._waiting.get(message.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
                return None
            case Farewell():
                raise parted(message)
            case Hello() | Snapshot() | Piece():
                raise Garbled(f"The engine sent a {type(message).__name__} among its events.")
            case _:
                return message

    async def ask(self, command: AnyCommand, *, timeout_s: float = ANSWER_WITHIN_S) -> Reply:
        """What the engine replies to a command; EngineError when it does not, or is not connected."""
        return (await self._answer(command, timeout_s)).reply

    async def status(self, *, timeout_s: float = ANSWER_WITHIN_S) -> Status:
        """How the night stands now; raises as `ask` does."""
        answer = await self._answer(Report(), timeout_s)
        if answer.status is None:
            raise EngineError(answer.reply.message)
        return answer.status

    async def _answer(self, command: AnyCommand | Report, timeout_s: float) -> Answer:
        if self._writer is None:
            raise NoEngine("The engine does not answer at the moment: nothing was asked of it.")
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(packed(Request(number, command)))
            async with asyncio.timeout(timeout_s):
                return await self._waiting[number]
        except TimeoutError as error:
            raise EngineError(f"The engine did not answer within {timeout_s:g} s.") from error
        finally:
            del self._waiting[number]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, Connected]]:
        connection = self._place.connect(_CONNECT_WITHIN_S)
        try:
            reader, writer = await asyncio.open_unix_connection(sock=connection, limit=BUFFER_BYTES)
        except BaseException:
            connection.close()
            raise
        try:
            connected = await _introduced(reader, writer)
            self._writer = writer
            yield reader, connected
        except Gone as error:
            raise EngineError("The engine ended without a farewell; its journal has the night.") from error
        finally:
            self._writer = None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(EngineError("The engine ended before it answered."))
            writer.transport.abort()
            with suppress(Gone):
                await hang_up(writer)


async def _introduced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connected:
    """Tell the engine that we follow it, and hear how the night stands."""
    greeting = Greeting(follow=True)
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            hello = greeted(await _message(reader), greeting)
            await send(writer, greeting)
            pieces = Pieces()
            while (snapshot := pieces.whole(await _message(reader))) is None:
                continue
    except TimeoutError as error:
        raise EngineError(f"The engine did not answer within {ANSWER_WITHIN_S:g} s.") from error
    if isinstance(snapshot, Farewell):
        raise parted(snapshot)
    if not isinstance(snapshot, Snapshot):
        raise Garbled(f"The engine sent a {type(snapshot).__name__} instead of a Snapshot.")
    return Connected(hello, snapshot.status, snapshot.recent)


async def _message(reader: asyncio.StreamReader) -> FromEngine:
    return from_engine(await receive(reader, TO_CLIENT_BYTES))
