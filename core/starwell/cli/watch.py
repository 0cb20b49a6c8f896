"""`starwell watch DIR`: stack what another program captures, as it arrives."""

from __future__ import annotations

import argparse
from pathlib import Path

from starwell.cli.foreground import engine_here, setup
from starwell.cli.run import add_masters, add_output, masters_of
from starwell.session.plan import MasterPaths, Plan, Series, Target
from starwell.session.wishes import Task

_EPILOG = """\
Files of Ekos, N.I.N.A., ASIAIR, SharpCap and others are taken when they are complete, sub-folders too;
those that are there already come first. Nothing is written beside them, and nothing is copied.
With the same NIGHT a later call goes on with the stack. Ctrl-C saves it and ends.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `starwell watch`."""
    parser.epilog = _EPILOG
    parser.add_argument("directory", type=Path, metavar="DIR", help="the folder the other program writes to")
    parser.add_argument("--target", default="", metavar="NAME", help="what the night is called after")
    add_masters(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    """Watch until interrupted; an exit code."""
    plan = Plan(
        targets=(Target(series=(Series(),), name=arguments.target),),
        camera=f"watch:{arguments.directory.expanduser().absolute()}",
        masters=masters_of(arguments, MasterPaths()),
    )
    return engine_here(setup(), Task(plan=plan, folder=arguments.folder), json=arguments.json)
