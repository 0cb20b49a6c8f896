"""`starwell restore N`: put a rejected sub back into the stack."""

from __future__ import annotations

import argparse

from starwell.cli.remote_command import add_number, told
from starwell.remote.messages import Restore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `starwell restore`."""
    add_number(parser)


def run(args: argparse.Namespace) -> int:
    """Ask the engine; 0, or an EngineError that says why it does not."""
    return told(Restore(args.number))
