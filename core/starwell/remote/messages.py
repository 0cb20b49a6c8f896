"""What goes over the socket: a length of 4 bytes, most significant first, then one message as msgpack.

The engine says Hello. A client answers with a Greeting, then sends Requests, each of which gets an Answer;
one that follows the night gets a Snapshot and then every event, long ones in Pieces. Farewell is the engine's
last message. Hello, Greeting and Farewell never change, so that programs of different versions can tell each
other apart.
"""

from __future__ import annotations

import struct
from typing import TypeVar

import msgspec

from starwell import __version__
from starwell.errors import Garbled
from starwell.session import events
from starwell.session.event_lines import AnyEvent
from starwell.session.events import Event
from starwell.session.face import (
    Abort,
    AnyCommand,
    Box,
    Command,
    Focus,
    Look,
    Merge,
    Note,
    Pause,
    Quit,
    Reject,
    Reply,
    Restack,
    Restore,
    Save,
    Set,
    Start,
    Status,
    Stop,
    Stretch,
    UseMasters,
)

__all__ = [
    "PROTOCOL",
    "Abort",
    "Answer",
    "AnyCommand",
    "AnyEvent",
    "Box",
    "Command",
    "Event",
    "Farewell",
    "Focus",
    "FromClient",
    "FromEngine",
    "Greeting",
    "Hello",
    "Look",
    "Merge",
    "Note",
    "Pause",
    "Piece",
    "Pieces",
    "Quit",
    "Reject",
    "Reply",
    "Report",
    "Request",
    "Restack",
    "Restore",
    "Save",
    "Set",
    "Snapshot",
    "Start",
    "Status",
    "Stop",
    "Stretch",
    "UseMasters",
    "events",
]

PROTOCOL = 2
"""Goes up with every change that a program of the version before would misunderstand."""

TO_ENGINE_BYTES = 64 << 10
TO_CLIENT_BYTES = 64 << 20
"""The longest messages; a snapshot holds a few pictures."""

SMALL_BYTES = 8 << 10
"""A longer message to a screen comes in pieces, with other messages between them."""

HEAD_BYTES = 4
_HEAD = struct.Struct(">I")


class Hello(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Which engine this is: its protocol and version, its process, and the folder of its night."""

    protocol: int = PROTOCOL
    program: str = __version__
    pid: int
    folder: str


class Greeting(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """Which client this is, and whether it wants to follow the night."""

    protocol: int = PROTOCOL
    program: str = __version__
    follow: bool = False


class Report(Command, frozen=True):
    """Say how the night stands."""


class Request(msgspec.Struct, frozen=True, tag=True):
    """A command, and the number its answer will carry."""

    id: int
    command: AnyCommand | Report


class Answer(msgspec.Struct, frozen=True, tag=True):
    """The reply to the request of this id; with the status when a Report was asked for."""

    id: int
    reply: Reply
    status: Status | None = None


class Snapshot(msgspec.Struct, frozen=True, tag=True):
    """How the night stands and what was told of it; the last pictures and all later events follow."""

    status: Status
    recent: tuple[AnyEvent, ...]


class Piece(msgspec.Struct, frozen=True, tag=True):
    """A part of a long message: of its bytes as msgpack, in order; last: whether nothing of it follows."""

    body: bytes
    last: bool


class Farewell(msgspec.Struct, frozen=True, tag=True):
    """The engine's last words, and whether to come again makes sense."""

    why: str
    again: bool = True


FromClient = Greeting | Request
FromEngine = Hello | Answer | Snapshot | Piece | Farewell | AnyEvent

_T = TypeVar("_T")

_ENCODER = msgspec.msgpack.Encoder()
_FROM_CLIENT: msgspec.msgpack.Decoder[FromClient] = msgspec.msgpack.Decoder(FromClient)
_FROM_ENGINE: msgspec.msgpack.Decoder[FromEngine] = msgspec.msgpack.Decoder(FromEngine)


def packed(message: FromClient | FromEngine | Event) -> bytes:
    """A message as it goes over the socket."""
    body = _ENCODER.encode(message)
    return _HEAD.pack(len(body)) + body


class Pieces:
    """Puts pieces together; one long message at a time is under way."""

    def __init__(self) -> None:
        self._so_far = bytearray()

    def whole(self, message: FromEngine) -> FromEngine | None:
        """The message that is complete with this one, if any; Garbled where that is none, or too long."""
        if not isinstance(message, Piece):
            return message
        self._so_far += message.body
        if len(self._so_far) > TO_CLIENT_BYTES:
            raise Garbled(f"A message in pieces of more than {TO_CLIENT_BYTES:,} bytes came; none is longer.")
        if not message.last:
            return None
        body, self._so_far = bytes(self._so_far), bytearray()
        return from_engine(body)


def body_length(head: bytes, most: int) -> int:
    """How many bytes follow the 4 of head; raises Garbled for more than `most`."""
    (length,) = _HEAD.unpack(head)
    if length > most:
        raise Garbled(f"A message of {length:,} bytes was announced; no message has more than {most:,}.")
    return int(length)


def from_client(body: bytes) -> FromClient:
    """What a client said; raises Garbled for anything else."""
    return _decoded(_FROM_CLIENT, body)


def from_engine(body: bytes) -> FromEngine:
    """What an engine said; raises Garbled for anything else."""
    return _decoded(_FROM_ENGINE, body)


def _decoded(decoder: msgspec.msgpack.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Garbled(f"What came over the socket is no message of starwell: {error}.") from error


def mismatch(engine: Hello, client: Greeting) -> str | None:
    """Which side of a connection is to be updated, or None when they understand each other."""
    if engine.protocol == client.protocol:
        return None
    if engine.protocol < client.protocol:
        return (
            f"The running engine (starwell {engine.program}, pid {engine.pid}) is older than this program "
            f"(starwell {client.program}): when its night is over, end it and start the engine anew."
        )
    return (
        f"This program (starwell {client.program}) is older than the running engine "
        f"(starwell {engine.program}, pid {engine.pid}): update this program."
    )
