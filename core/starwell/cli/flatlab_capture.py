"""`starwell flatlab capture`: shoots a schedule, asks for panel and film, goes on where it was broken off."""

from __future__ import annotations

import argparse

from starwell.cli.guided_rig import guided, say
from starwell.flatlab.schedule import read
from starwell.flatlab.shooting import Shooting


def capture(args: argparse.Namespace) -> int:
    """Shoot what the schedule still lacks; 0, or a StarwellError that says why it ended."""
    schedule = read(args.schedule)
    with guided(args.camera, args.output, celsius=schedule.celsius, yes=args.yes) as rig:
        taken = Shooting(schedule, args.output, rig, say).run()
    print(f"{taken} frames taken; now: starwell flatlab analyse --folder {args.output} --json R.json")
    return 0
