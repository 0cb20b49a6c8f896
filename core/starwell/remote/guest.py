"""The engine's end of one connection."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

from starwell.errors import EngineRefused, Garbled, StarwellError
from starwell.remote.messages import (
    HEAD_BYTES,
    SMALL_BYTES,
    TO_ENGINE_BYTES,
    Answer,
    AnyCommand,
    AnyEvent,
    Event,
    Farewell,
    FromClient,
    FromEngine,
    Greeting,
    Hello,
    Piece,
    Reply,
    Report,
    Request,
    Snapshot,
    from_client,
    mismatch,
    packed,
)
from starwell.remote.streams import Gone, hang_up, receive, send
from starwell.session.events import PreviewReady
from starwell.session.face import EngineFace
from starwell.session.subscription import Subscription

T = TypeVar("T")

GREETING_WITHIN_S = 10.0
LINGER_S = 2.0
"""How long somebody who is parted with has to read what is still on its way."""

_SHORTEST_PIECE, _LONGEST_PIECE = 1 << 10, 256 << 10
_QUICK_S, _SLOW_S = 0.01, 0.06
"""A piece that takes this little or this long is followed by one twice or half as long."""

_TOO_SLOW = "This program fell too far behind the engine and was cut off; it may connect anew."


class Guest:
    """Somebody who asks, and perhaps follows the night. Whatever it does or leaves undone harms only itself.

    Only one message at a time waits to be sent, and the guest's next requests wait with it: what a slow guest
    does not read stays in its Subscription, where a newer picture replaces an older one.
    """

    def __init__(
        self,
        face: EngineFace,
        threads: Executor,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._face = face
        self._threads = threads
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._parting: asyncio.Future[Farewell] = self._loop.create_future()
        self._answering = asyncio.Lock()
        self._news = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._piece_bytes = _SHORTEST_PIECE
        # Nothing waits in this process but the message that is being sent.
        writer.transport.set_write_buffer_limits(high=0)

    def part(self, farewell: Farewell) -> None:
        """End the connection with these words, after all that was told until now."""
        if not self._parting.done():
            self._parting.set_result(farewell)
        self._news.set()

    async def attend(self) -> None:
        """Serve the connection until either side ends it."""
        listening = asyncio.create_task(self._listen())
        try:
            until: set[asyncio.Future[Any]] = {listening, self._parting}
            await asyncio.wait(until, return_when=asyncio.FIRST_COMPLETED)
            if self._parting.done():
                # Whoever has gone, or does not read, needs no farewell.
                with suppress(Gone, TimeoutError):
                    async with asyncio.timeout(LINGER_S):
                        await self._take_leave(self._parting.result())
        finally:
            self._writer.transport.abort()
            tasks = [task for task in (listening, self._following) if task is not None]
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _take_leave(self, farewell: Farewell) -> None:
        async with self._answering:
            if self._following is not None:
                await self._following
            await self._send(farewell)
            await hang_up(self._writer)

    async def _listen(self) -> None:
        """Answer one request after the other until the guest leaves or talks nonsense."""
        try:
            await self._greet()
            while True:
                request = await self._request()
                async with self._answering:
                    await self._send(await self._answer(request))
        except (Garbled, EngineRefused) as error:
            self.part(Farewell(str(error), again=False))
        except Gone:
            return

    async def _greet(self) -> None:
        status = await self._ask(self._face.status)
        hello = Hello(pid=os.getpid(), folder=status.folder)
        await self._send(hello)
        try:
            async with asyncio.timeout(GREETING_WITHIN_S):
                greeting = await self._receive()
        except TimeoutError as error:
            raise Garbled(f"No Greeting came within {GREETING_WITHIN_S:g} s.") from error
        if not isinstance(greeting, Greeting):
            raise Garbled("A Request came before the Greeting.")
        if (why := mismatch(hello, greeting)) is not None:
            raise EngineRefused(why)
        if greeting.follow:
            self._following = asyncio.create_task(self._follow())

    async def _request(self) -> Request:
        request = await self._receive()
        if not isinstance(request, Request):
            raise Garbled("A second Greeting came where a Request was expected.")
        return request

    async def _answer(self, request: Request) -> Answer:
        command = request.command
        if isinstance(command, Report):
            return Answer(request.id, Reply(True, ""), await self._ask(self._face.status))
        return Answer(request.id, await self._ask(lambda: self._reply(command)))

    def _reply(self, command: AnyCommand) -> Reply:
        try:
            return self._face.command(command)
        except StarwellError as error:
            return Reply(False, str(error))

    async def _follow(self) -> None:
        """Send a snapshot, then every event, until parted with."""
        subscription = self._face.subscribe()
        try:
            subscription.wake_with(partial(self._loop.call_soon_threadsafe, self._hear, subscription))
            recent = cast("tuple[AnyEvent, ...]", subscription.recent)
            pictures = [event for event in recent if isinstance(event, PreviewReady)]
            told = tuple(event for event in recent if not isinstance(event, PreviewReady))
            await self._send_long(Snapshot(await self._ask(self._face.status), told), None)
            for picture in pictures:
                await self._send_long(picture, subscription)
            leaving = False
            while not leaving:
                await self._news.wait()
                self._news.clear()
                leaving = self._parting.done()
                await self._tell(subscription)
        except Gone:
            return
        finally:
            subscription.close()

    async def _tell(self, subscription: Subscription) -> None:
        """Everything that is new."""
        while True:
            for event in subscription.take_small():
                await self._send(event)
            picture = subscription.take_picture()
            if picture is None:
                return
            await self._send_long(picture, subscription)

    async def _send_long(self, message: Snapshot | PreviewReady, subscription: Subscription | None) -> None:
        """A message in pieces, each as long as goes out in a moment, and what is new between them."""
        whole = memoryview(packed(message))
        if len(whole) <= SMALL_BYTES:
            await self._send(message)
            return
        at = HEAD_BYTES
        while at < len(whole):
            body = whole[at : at + self._piece_bytes]
            at += len(body)
            began = self._loop.time()
            await self._send(Piece(bytes(body), at >= len(whole)))
            spent_s = self._loop.time() - began
            if spent_s < _QUICK_S:
                self._piece_bytes = min(2 * self._piece_bytes, _LONGEST_PIECE)
            elif spent_s > _SLOW_S:
                self._piece_bytes = max(self._piece_bytes // 2, _SHORTEST_PIECE)
            for event in subscription.take_small() if subscription is not None else ():
                await self._send(event)

    def _hear(self, subscription: Subscription) -> None:
        self._news.set()
        if subscription.lagging:
            self.part(Farewell(_TOO_SLOW))

    async def _ask(self, question: Callable[[], T]) -> T:
        """The engine's answer, without keeping the other guests waiting for it."""
        return await self._loop.run_in_executor(self._threads, question)

    async def _receive(self) -> FromClient:
        return from_client(await receive(self._reader, TO_ENGINE_BYTES))

    async def _send(self, message: FromEngine | Event) -> None:
        await send(self._writer, message)
