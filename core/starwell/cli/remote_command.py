"""What the commands to a running engine share: ask, say what it replies, and fail when it refuses."""

from __future__ import annotations

import argparse

from starwell.errors import EngineError
from starwell.remote.client import ask
from starwell.remote.messages import AnyCommand


def add_number(parser: argparse.ArgumentParser) -> None:
    """Declare the number of a sub."""
    parser.add_argument(
        "number", type=_number, metavar="N", help="the sub's number, as screen and file name have it"
    )


def told(command: AnyCommand) -> int:
    """Tell the engine and print its reply; 0, or an EngineError with the reason of its refusal."""
    reply = ask(command)
    if not reply.ok:
        raise EngineError(reply.message)
    print(reply.message)
    return 0


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not the number of a sub")
    return int(text)
