"""`starwell start [PLAN]`: begin a plan, or go on with what was paused."""

from __future__ import annotations

import argparse
from pathlib import Path

from starwell.cli.remote_command import told
from starwell.errors import PlanError
from starwell.remote.messages import Start


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `starwell start`."""
    parser.add_argument(
        "plan", nargs="?", type=Path, metavar="PLAN.toml", help="the plan to begin; without one, go on"
    )
    parser.add_argument(
        "--paused",
        action="store_true",
        help="open and cool the camera, then wait for `starwell start`",
    )


def run(args: argparse.Namespace) -> int:
    """Ask the engine; 0, or an EngineError that says why it does not."""
    if args.plan is None:
        if args.paused:
            raise PlanError("Only a plan can be made ready: starwell start PLAN.toml --paused.")
        return told(Start())
    if not args.plan.is_file():
        raise PlanError(f"There is no plan {args.plan}.")
    # The engine was started in another folder than we are in.
    return told(Start(str(args.plan.absolute()), paused=args.paused))
