"""The engine's end of the socket: a thread of its own that lets in whoever is the same user."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from starwell.remote.guest import Guest
from starwell.remote.messages import Farewell, packed
from starwell.remote.place import Claim, peer_uid
from starwell.remote.streams import BUFFER_BYTES
from starwell.session.face import EngineFace

MOST_GUESTS = 32
"""Connections at a time: screens and commands of one user, unless some program forgets to close them."""

_THREADS = 4
"""Commands under way at a time; each guest has at most one."""


class Server:
    """An engine that others can reach; made by `serve_in_thread`."""

    def __init__(self, face: EngineFace, claim: Claim) -> None:
        self._face = face
        self._listening = claim.listen()
        self._guests: dict[asyncio.Task[None], Guest] = {}
        self._loop: asyncio.AbstractEventLoop
        self._threads: ThreadPoolExecutor
        self._ending: asyncio.Future[str]
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="remote", daemon=True)
        self._thread.start()
        self._started.wait()

    def close(self, why: str = "The engine ended.") -> None:
        """Send everybody what was told until now and why it ends; done within about two seconds.

        Call it after the last event was published and before the claim is closed; again does nothing.
        """
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end, why)
            self._thread.join()

    def _end(self, why: str) -> None:
        if not self._ending.done():
            self._ending.set_result(why)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = self._loop.create_future()
        self._threads = ThreadPoolExecutor(_THREADS, "remote-command")
        server = await asyncio.start_unix_server(self._welcome, sock=self._listening, limit=BUFFER_BYTES)
        self._started.set()
        why = await self._ending
        server.close()
        for guest in self._guests.values():
            guest.part(Farewell(why))
        if self._guests:
            await asyncio.wait(self._guests)
        await server.wait_closed()
        self._threads.shutdown(wait=False)

    def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (why := self._unwelcome(writer)) is not None:
            writer.write(packed(why))
            writer.close()
            return
        guest = Guest(self._face, self._threads, reader, writer)
        attending = self._loop.create_task(guest.attend())
        self._guests[attending] = guest
        attending.add_done_callback(self._gone)

    def _unwelcome(self, writer: asyncio.StreamWriter) -> Farewell | None:
        if peer_uid(writer.get_extra_info("socket")) != os.geteuid():
            return Farewell(
                "This engine belongs to another user and takes no commands from you.", again=False
            )
        if self._ending.done():
            return Farewell(self._ending.result())
        if len(self._guests) >= MOST_GUESTS:
            return Farewell(f"{MOST_GUESTS} programs are connected to the engine already: close one.")
        return None

    def _gone(self, attending: asyncio.Task[None]) -> None:
        del self._guests[attending]
        if not attending.cancelled() and (fault := attending.exception()) is not None:
            self._loop.call_exception_handler({"message": "A connection failed", "exception": fault})


def serve_in_thread(face: EngineFace, claim: Claim) -> Server:
    """Let others reach the engine until the server is closed; raises as `Claim.listen` does."""
    return Server(face, claim)
