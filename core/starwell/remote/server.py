"""The engine's end of the socket: a thread of its own that lets in whoever is the same user."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from socket import SO_SNDBUF, SOL_SOCKET, socket

from starwell.remote.guest import Guest
from starwell.remote.messages import Farewell
from starwell.remote.place import Claim, peer_uid
from starwell.remote.streams import BUFFER_BYTES, Gone, hang_up, send
from starwell.session.face import EngineFace

MOST_GUESTS = 32
"""Connections at a time: screens and commands of one user, unless some program forgets to close them."""

_THREADS = 4
"""Commands under way at a time; each guest has at most one."""

_SEND_BYTES = 2 << 10
"""What the kernel takes ahead of a guest that reads slowly: everything newer waits behind it."""

_ACCEPT_AGAIN_S = 1.0


class Server:
    """An engine that others can reach; made by `serve_in_thread`."""

    def __init__(self, face: EngineFace, claim: Claim) -> None:
        self._face = face
        self._listening = claim.listen()
        self._guests: set[Guest] = set()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._threads: ThreadPoolExecutor
        self._ending: asyncio.Future[Farewell]
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="remote", daemon=True)
        self._thread.start()
        self._started.wait()

    def close(self, why: str = "The engine ended.") -> None:
        """Send everybody what was told until now and why it ends; done within about two seconds.

        Call it after the last event was published and before the claim is closed; again does nothing.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end, Farewell(why))
            self._thread.join()

    def _end(self, farewell: Farewell) -> None:
        if not self._ending.done():
            self._ending.set_result(farewell)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = self._loop.create_future()
        self._threads = ThreadPoolExecutor(_THREADS, "remote-command")
        self._listening.setblocking(False)
        self._listen()
        self._started.set()
        farewell = await self._ending
        self._loop.remove_reader(self._listening)
        self._listening.close()
        for guest in self._guests:
            guest.part(farewell)
        if self._connections:
            await asyncio.wait(self._connections)
        self._threads.shutdown(wait=False)

    def _listen(self) -> None:
        if not self._ending.done():
            self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        # Not asyncio's server: closed at the wrong moment, it forgets a connection that it has just accepted.
        try:
            connection, _ = self._listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # Out of descriptors: whoever knocks has to wait until some are free.
            self._loop.remove_reader(self._listening)
            self._loop.call_later(_ACCEPT_AGAIN_S, self._listen)
            return
        attending = self._loop.create_task(self._attend(connection))
        self._connections.add(attending)
        attending.add_done_callback(self._ended)

    async def _attend(self, connection: socket) -> None:
        connection.setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BYTES)
        reader, writer = await asyncio.open_unix_connection(sock=connection, limit=BUFFER_BYTES)
        if (why := self._unwelcome(connection)) is not None:
            await _turn_away(writer, why)
            return
        guest = Guest(self._face, self._threads, reader, writer)
        self._guests.add(guest)
        try:
            await guest.attend()
        finally:
            self._guests.remove(guest)

    def _unwelcome(self, connection: socket) -> Farewell | None:
        if peer_uid(connection) != os.geteuid():
            return Farewell(
                "This engine belongs to another user: it takes no commands of yours.", again=False
            )
        if self._ending.done():
            return self._ending.result()
        if len(self._guests) >= MOST_GUESTS:
            return Farewell(f"{MOST_GUESTS} programs are connected to the engine already: close one.")
        return None

    def _ended(self, attending: asyncio.Task[None]) -> None:
        self._connections.remove(attending)
        if not attending.cancelled() and (fault := attending.exception()) is not None:
            self._loop.call_exception_handler({"message": "A connection failed", "exception": fault})


async def _turn_away(writer: asyncio.StreamWriter, why: Farewell) -> None:
    with suppress(Gone):
        await send(writer, why)
        await hang_up(writer)


def serve_in_thread(face: EngineFace, claim: Claim) -> Server:
    """Let others reach the engine until the server is closed; raises as `Claim.listen` does."""
    return Server(face, claim)
