"""`starwell engine`: an engine for a service, which waits for plans and takes up a night that broke off."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from starwell.cli.foreground import engine_here, setup
from starwell.cli.run import plan_at
from starwell.errors import PlanError
from starwell.session.tasks import Unfinished
from starwell.session.wishes import Task

_EPILOG = """\
A night that was broken off, by a power loss say, is taken up: its stack is there again, but nothing is
exposed until `starwell start`, unless its plan says resume = "auto".

exit codes: 0 it was told to quit; 1 another engine is running; 2 the call was wrong
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `starwell engine`."""
    parser.epilog = _EPILOG
    parser.add_argument(
        "plan", nargs="?", type=Path, metavar="PLAN.toml", help="begin this plan when no night was broken off"
    )


def run(arguments: argparse.Namespace) -> int:
    """Be the engine until it is told to quit; an exit code."""
    made = setup()
    try:
        task = Unfinished(made.state).task()
    except PlanError as missing:
        task = None
        print(missing, file=sys.stderr)
    if task is None and arguments.plan is not None:
        task = Task(plan=plan_at(arguments.plan, made))
    return engine_here(made, task, stay=True, quiet=True)
