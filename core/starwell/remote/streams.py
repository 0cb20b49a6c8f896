"""One message from or to an asyncio stream: what both ends of a connection share."""

from __future__ import annotations

import asyncio

from starwell.errors import Garbled
from starwell.remote.messages import HEAD_BYTES, Event, FromClient, FromEngine, body_length, packed

BUFFER_BYTES = 1 << 20
"""What a stream reads ahead; with asyncio's 64 kB a picture comes in many small pieces."""


class Gone(Exception):
    """The other end has left, however it did."""


async def receive(reader: asyncio.StreamReader, most: int) -> bytes:
    """The next message's body. Raises Gone at the end, Garbled for a half or too long message."""
    try:
        length = body_length(await reader.readexactly(HEAD_BYTES), most)
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial or error.expected != HEAD_BYTES:
            raise Garbled("A message broke off in the middle.") from error
        raise Gone from error
    except ConnectionError as error:
        raise Gone from error


async def send(writer: asyncio.StreamWriter, message: FromClient | FromEngine | Event) -> None:
    """Send a message, as fast as the other end reads; raises Gone when there is none."""
    writer.write(packed(message))
    try:
        await writer.drain()
    except ConnectionError as error:
        raise Gone from error


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close, once all that was sent is on its way."""
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError as error:
        raise Gone from error
