"""`starwell merge`: undo the newest split of a stack."""

from __future__ import annotations

import argparse

from starwell.cli.remote_command import told
from starwell.remote.messages import Merge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`starwell merge` takes no arguments."""


def run(args: argparse.Namespace) -> int:  # noqa: ARG001 (every command is called with its arguments)
    """Ask the engine; 0, or an EngineError that says why it does not."""
    return told(Merge())
