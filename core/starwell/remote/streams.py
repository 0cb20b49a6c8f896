"""One message from an asyncio stream: what both ends of a connection share."""

from __future__ import annotations

import asyncio

from starwell.errors import Garbled
from starwell.remote.messages import HEAD_BYTES, body_length

BUFFER_BYTES = 1 << 20
"""What a stream reads ahead; with asyncio's 64 kB a picture comes in many small pieces."""


async def receive(reader: asyncio.StreamReader, most: int) -> bytes:
    """The next message's body. Raises EOFError at the end, Garbled for a half or too long message."""
    try:
        length = body_length(await reader.readexactly(HEAD_BYTES), most)
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial or error.expected != HEAD_BYTES:
            raise Garbled("A message broke off in the middle.") from error
        raise EOFError from error
