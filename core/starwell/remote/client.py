"""Asking the running engine one thing and waiting for its answer: what the commands do.

Loads neither numpy nor asyncio, so that a question costs little more than starting Python.
"""

from __future__ import annotations

import time
from contextlib import closing
from socket import socket

from starwell.errors import EngineError, EngineRefused, Garbled
from starwell.remote.messages import (
    HEAD_BYTES,
    TO_CLIENT_BYTES,
    Answer,
    AnyCommand,
    Farewell,
    FromClient,
    FromEngine,
    Greeting,
    Hello,
    Reply,
    Report,
    Request,
    Status,
    body_length,
    from_engine,
    mismatch,
    packed,
)
from starwell.remote.place import Place

ANSWER_WITHIN_S = 10.0


def ask(command: AnyCommand, place: Place | None = None, *, timeout_s: float = ANSWER_WITHIN_S) -> Reply:
    """What the engine replies to a command; a Reply that is not ok says why.

    Raises NoEngine, EngineRefused (another version, another user), EngineError when no answer comes in time.
    """
    return _exchange(command, place or Place(), timeout_s).reply


def status(place: Place | None = None, *, timeout_s: float = ANSWER_WITHIN_S) -> Status:
    """How the night stands; raises as `ask` does."""
    answer = _exchange(Report(), place or Place(), timeout_s)
    if answer.status is None:
        raise EngineError(answer.reply.message)
    return answer.status


def greeted(first: FromEngine, greeting: Greeting) -> Hello:
    """The engine's Hello, where we understand each other; raises what its first message means otherwise."""
    if isinstance(first, Farewell):
        raise parted(first)
    if not isinstance(first, Hello):
        raise Garbled(f"The engine began with {type(first).__name__}, not with Hello.")
    if (why := mismatch(first, greeting)) is not None:
        raise EngineRefused(why)
    return first


def parted(farewell: Farewell) -> EngineError:
    """The error that an engine's last words amount to."""
    return EngineError(farewell.why) if farewell.again else EngineRefused(farewell.why)


def _exchange(command: AnyCommand | Report, place: Place, timeout_s: float) -> Answer:
    line = _Line(place, timeout_s)
    with closing(line.connection):
        greeting = Greeting()
        greeted(line.receive(), greeting)
        line.send(greeting)
        line.send(Request(1, command))
        answer = line.receive()
    if isinstance(answer, Farewell):
        raise parted(answer)
    if not isinstance(answer, Answer):
        raise Garbled(f"The engine answered with {type(answer).__name__}.")
    return answer


class _Line:
    """A connection on which everything together takes no longer than timeout_s."""

    def __init__(self, place: Place, timeout_s: float) -> None:
        self._until = time.monotonic() + timeout_s
        self._timeout_s = timeout_s
        self.connection: socket = place.connect(timeout_s)

    def send(self, message: FromClient) -> None:
        try:
            self._limit()
            self.connection.sendall(packed(message))
        except OSError as error:
            raise self._lost(error) from error

    def receive(self) -> FromEngine:
        head = self._exactly(HEAD_BYTES)
        return from_engine(self._exactly(body_length(head, TO_CLIENT_BYTES)))

    def _exactly(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            try:
                self._limit()
                part = self.connection.recv(length - len(parts))
            except OSError as error:
                raise self._lost(error) from error
            if not part:
                raise EngineError("The engine ended before it answered.")
            parts += part
        return bytes(parts)

    def _limit(self) -> None:
        self.connection.settimeout(max(self._until - time.monotonic(), 1e-3))

    def _lost(self, error: OSError) -> EngineError:
        if isinstance(error, TimeoutError):
            return EngineError(
                f"The engine did not answer within {self._timeout_s:g} s: it hangs, or the machine is busy."
            )
        return EngineError("The engine ended before it answered.")
